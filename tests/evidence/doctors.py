"""Changes to the evidence of a direct run of the lab after which it must not pass any more."""

from __future__ import annotations

from kaspa_node import milestones as m
from tests.unit.evidence.builder import CLIENT, SERVER, Evidence

SERVER_AT, CLIENT_AT, RELAY_AT = "203.0.113.30:4012", "203.0.113.20:4012", "203.0.113.10:4011"
_OTHER_END = {"client": SERVER_AT, "server": CLIENT_AT}
THIRD = "12D3KooWThirdThirdThirdThirdThirdThirdThirdThird1234"


def conn(evidence: Evidence) -> str:
    """The connection of the session."""
    return str(evidence.run["session"]["conn"])


def circuit(evidence: Evidence) -> str:
    """The relayed connection that the run began with."""
    line = next(line for line in evidence.journals["client"] if " milestone=circuit.outbound " in line)
    return line.partition(" conn=")[2].partition(" ")[0]


def direct(evidence: Evidence, host: str, label: str) -> dict[str, object]:
    """The socket of the peer's direct connection."""
    return evidence.socket(host, label, _OTHER_END[host])


def to_relay(evidence: Evidence, host: str, label: str) -> dict[str, object]:
    """The socket of the peer's connection to the relay."""
    return evidence.socket(host, label, RELAY_AT)


def add(entry: dict[str, object], name: str, more: int) -> None:
    """Raise a count."""
    count = entry[name]
    assert isinstance(count, int)
    entry[name] = count + more


def earlier_journals(evidence: Evidence) -> None:
    for host in ("client", "server"):
        evidence.journals[host] = [
            line.replace(evidence.run["run_id"], "20261122T101500Z-0000") for line in evidence.journals[host]
        ]


def earlier_time(evidence: Evidence) -> None:
    evidence.journals["client"] = [
        line.replace("2026-11-23 05", "2026-11-23 04") for line in evidence.journals["client"]
    ]


def third_peer(evidence: Evidence) -> None:
    evidence.journals["client"] = [line.replace(SERVER, THIRD) for line in evidence.journals["client"]]


def prefix_of_a_peer_id(evidence: Evidence) -> None:
    evidence.journals["server"] = [line.replace(CLIENT, CLIENT[:-1]) for line in evidence.journals["server"]]


def longer_peer_id_in_a_journal(evidence: Evidence) -> None:
    for kind in (m.CIRCUIT_INBOUND, m.CONNECTION_DIRECT, m.PUNCH_SUCCEEDED):
        evidence.replace("server", kind, f"peer={CLIENT}", f"peer={CLIENT}7")


def another_stream_of_the_connection(evidence: Evidence) -> None:
    """The number of the server's stream begins with that of the client's."""
    session = evidence.run["session"]["session"]
    evidence.journals["server"] = [
        line.replace(f"={session} ", f"={session}1 ") for line in evidence.journals["server"]
    ]


def truncated(evidence: Evidence) -> None:
    evidence.journals["server"] = evidence.journals["server"][:7]


def out_of_order(evidence: Evidence) -> None:
    lines = evidence.journals["server"]
    version, connected = (
        next(index for index, line in enumerate(lines) if f" milestone={name} " in line)
        for name in ("kaspa.version.received", "peer.connected")
    )
    lines[version], lines[connected] = lines[connected], lines[version]


def times_out_of_order(evidence: Evidence) -> None:
    evidence.replace("server", m.READY_RECEIVED, "05:21:36.390", "05:21:36.300")


def twice(evidence: Evidence) -> None:
    evidence.edit("client", m.PEER_CONNECTED, lambda line: f"{line}\n{line}")


def of_another_process(evidence: Evidence) -> None:
    for label in ("before", "after"):
        direct(evidence, "client", label).update({"cgroup": "/system.slice/sshd.service", "pids": [1]})


def of_nobody(evidence: Evidence) -> None:
    for label in ("before", "after"):
        direct(evidence, "client", label).update({"cgroup": None, "pids": []})


def counter_reset(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"][0]["bytes_forward"] = 0


def counter_gone(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"] = []


def counter_never_there(evidence: Evidence) -> None:
    for snapshot in evidence.both("relay"):
        snapshot["status"]["pairs"] = []


def counters_missing(evidence: Evidence) -> None:
    del evidence.after("relay")["status"]["pairs"]


def counted_twice(evidence: Evidence) -> None:
    evidence.before("relay")["status"]["pairs"] *= 2


def counter_grew(evidence: Evidence) -> None:
    evidence.after("relay")["status"]["pairs"][0]["bytes_forward"] += 1


def back_way_grew(evidence: Evidence) -> None:
    back = {"src": SERVER, "dst": CLIENT, "circuits": 1, "bytes_forward": 5, "bytes_backward": 5}
    evidence.after("relay")["status"]["pairs"].append(back)


def relay_restarted(evidence: Evidence) -> None:
    evidence.after("relay")["service"] |= {"pid": 101, "invocation": "f" * 32}


def relay_stopped(evidence: Evidence) -> None:
    evidence.after("relay")["service"]["active"] = False


def start_unknown(evidence: Evidence) -> None:
    evidence.after("relay")["service"]["invocation"] = ""


def no_service(evidence: Evidence) -> None:
    evidence.after("relay")["service"] = None


def other_service(evidence: Evidence) -> None:
    evidence.after("server")["service"]["name"] = "other"


def end(evidence: Evidence, host: str, fields: str) -> None:
    """Append a line that ends something, at the time of the journal's last line."""
    stamp = evidence.journals[host][-1].partition(" [")[0]
    evidence.journals[host].append(f"{stamp} [INFO ] ended milestone={fields}")


def path_died(evidence: Evidence) -> None:
    session = evidence.run["session"]["session"]
    end(evidence, "client", f"peer.disconnected reason=reset path=direct peer={SERVER} session={session}")


def connection_closed(evidence: Evidence) -> None:
    end(evidence, "server", f"connection.closed peer={CLIENT} conn={conn(evidence)}")


def session_not_listed(evidence: Evidence) -> None:
    evidence.after("server")["status"]["sessions"] = []


def session_not_ready(evidence: Evidence) -> None:
    evidence.after("server")["status"]["sessions"][0]["state"] = "closed"


def socket_replaced(evidence: Evidence) -> None:
    direct(evidence, "server", "after")["cookie"] = "other"


def socket_gone(evidence: Evidence) -> None:
    evidence.after("server")["sockets"].remove(direct(evidence, "server", "after"))


def socket_closing(evidence: Evidence) -> None:
    direct(evidence, "server", "after")["state"] = "CLOSE-WAIT"


def counts_backwards(evidence: Evidence) -> None:
    direct(evidence, "server", "after")["bytes_acked"] = 1


def idle(evidence: Evidence) -> None:
    for host in ("client", "server"):
        before, after = (direct(evidence, host, label) for label in ("before", "after"))
        after.update({"bytes_acked": before["bytes_acked"], "bytes_received": before["bytes_received"]})


def not_conserved(evidence: Evidence) -> None:
    add(direct(evidence, "server", "after"), "bytes_received", 9000)


def through_the_relay_after_all(evidence: Evidence) -> None:
    add(to_relay(evidence, "client", "after"), "bytes_acked", 40_000)


def by_the_relays_count(evidence: Evidence) -> None:
    add(evidence.socket("relay", "after", SERVER_AT), "bytes_received", 40_000)


def relay_link_replaced(evidence: Evidence) -> None:
    to_relay(evidence, "client", "after")["local"] = "10.1.0.2:50000"


def relay_link_replaced_by_its_like(evidence: Evidence) -> None:
    to_relay(evidence, "client", "after")["cookie"] = "other"


def no_relay_link(evidence: Evidence) -> None:
    for label in ("before", "after"):
        evidence.snapshots["client", label]["sockets"].remove(to_relay(evidence, "client", label))


def elsewhere(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "203.0.113.30:4012", "198.51.100.7:4012")
    for label in ("before", "after"):
        direct(evidence, "client", label)["remote"] = "198.51.100.7:4012"


def other_port(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "203.0.113.30:4012", "203.0.113.30:50000")
    for label in ("before", "after"):
        direct(evidence, "client", label)["remote"] = "203.0.113.30:50000"


def unseen_by_the_relay(evidence: Evidence) -> None:
    for snapshot in evidence.both("relay"):
        snapshot["status"]["reservations"] = []
    for snapshot in evidence.both("server"):
        snapshot["status"]["relays"] = []


def unnamed_ends(evidence: Evidence) -> None:
    evidence.replace("client", m.CONNECTION_DIRECT, "local=10.1.0.2:4012", "local=somewhere")


def fourth_attempt(evidence: Evidence) -> None:
    evidence.run["session"]["punch"]["attempts"] = 4


def attempt_unclear(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_SUCCEEDED, "attempt=1", "attempt=first")


def attempt_zero(evidence: Evidence) -> None:
    for host in ("client", "server"):
        evidence.replace(host, m.PUNCH_SUCCEEDED, "attempt=1", "attempt=0")
        evidence.drop(host, m.PUNCH_STARTED)
    evidence.run["session"]["punch"]["attempts"] = 0


def punch_on_another_circuit(evidence: Evidence) -> None:
    relayed = f"relayed={circuit(evidence)}"
    for host in ("client", "server"):
        evidence.replace(host, m.PUNCH_SUCCEEDED, relayed, "relayed=0000000000000000")


def clock_set(evidence: Evidence) -> None:
    evidence.after("server")["time"] += 600


def earlier_snapshots(evidence: Evidence) -> None:
    for snapshot in evidence.both("server"):
        snapshot["controller_time"] -= 86_400
        snapshot["time"] -= 86_400


def swapped_snapshots(evidence: Evidence) -> None:
    first, last = evidence.both("server")
    evidence.snapshots["server", "before"], evidence.snapshots["server", "after"] = last, first


def host_lost(evidence: Evidence) -> None:
    evidence.run["hosts"]["server"]["unreachable"] = "no route to host"


def incomplete(evidence: Evidence) -> None:
    evidence.after("relay")["error"] = "the control socket did not answer"


def no_status(evidence: Evidence) -> None:
    evidence.after("relay")["status"] = None


def no_sockets(evidence: Evidence) -> None:
    evidence.after("relay")["sockets"] = None


def other_program(evidence: Evidence) -> None:
    evidence.after("client")["status"]["peer_id"] = SERVER


def unknown_peer_id(evidence: Evidence) -> None:
    evidence.run["hosts"]["client"]["peer_id"] = None


def one_key_for_two(evidence: Evidence) -> None:
    evidence.run["hosts"]["relay"]["peer_id"] = SERVER
    for snapshot in evidence.both("relay"):
        snapshot["status"]["peer_id"] = SERVER


def other_session_exercised(evidence: Evidence) -> None:
    evidence.run["exercise"]["session"] = f"{conn(evidence)}.77"


def no_pings(evidence: Evidence) -> None:
    evidence.run["exercise"]["pings"] = 0


def exercise_failed(evidence: Evidence) -> None:
    evidence.run["exercise"] = {"error": "no answer to ping 3"}


def not_exercised(evidence: Evidence) -> None:
    del evidence.run["exercise"]


def session_of_nothing(evidence: Evidence) -> None:
    evidence.run["session"]["session"] = f"{conn(evidence)}.x"


def with_somebody_else(evidence: Evidence) -> None:
    evidence.run["session"]["peer_id"] = CLIENT


def of_no_run(evidence: Evidence) -> None:
    evidence.run["session"]["run"] = None
