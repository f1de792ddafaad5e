"""Changes to the evidence of a run of two native programs after which it must not pass any more."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from kaspa_node import milestones as m
from tests.evidence.corpus import NATIVE, recorded
from tests.evidence.doctors import add, conn, direct, to_relay
from tests.unit.evidence.builder import Evidence

_CONNECTED = re.compile(r"P2P Connected to incoming peer (\[::1\]:[0-9]+)")
_AT = "%Y-%m-%d %H:%M:%S.%f%z"

Doctor = Callable[[Evidence], None]


def during(evidence: Evidence, host: str) -> dict[str, object]:
    """The look at the host while the session stood."""
    return evidence.snapshots[host, "during"]


def native_socket(evidence: Evidence, host: str) -> dict[str, object]:
    """The program's own end of the local socket."""
    [found] = evidence.snapshots[host, "during"]["native"]["sockets"]
    return found  # type: ignore[no-any-return]


def peer_socket(evidence: Evidence, host: str) -> dict[str, object]:
    """The peer's end of it."""
    remote = native_socket(evidence, host)["local"]
    [found] = [s for s in evidence.snapshots[host, "during"]["sockets"] if s["remote"] == remote]
    return found  # type: ignore[no-any-return]


def caller(evidence: Evidence) -> str:
    """The address by which the server's program knows the session."""
    found = _CONNECTED.search("\n".join(evidence.native["server"]))
    assert found
    return found[1]


def index(evidence: Evidence, host: str, start: str) -> int:
    """Where in the native log the line with a sentence that begins so stands."""
    [found] = [i for i, line in enumerate(evidence.native[host]) if line.partition("] ")[2].startswith(start)]
    return found


def without(host: str, start: str) -> Doctor:
    """The native log of the host lacks that line."""

    def change(evidence: Evidence) -> None:
        del evidence.native[host][index(evidence, host, start)]

    change.__name__ = f"without_{start.replace(' ', '_')}_on_{host}"
    return change


def moved(line: str, seconds: float) -> str:
    """The line, written so much later."""
    stamp, space, rest = line[:29], line[29:30], line[30:]
    then = datetime.strptime(stamp, _AT) + timedelta(seconds=seconds)
    return f"{then:%Y-%m-%d %H:%M:%S}.{then.microsecond // 1000:03d}+00:00{space}{rest}"


def earlier_log(evidence: Evidence) -> None:
    evidence.native["server"] = recorded(NATIVE).native["server"]


def earlier_log_readdressed(evidence: Evidence) -> None:
    old, new = recorded(NATIVE), caller(evidence)
    evidence.native["server"] = [line.replace(caller(old), new) for line in old.native["server"]]


def earlier_log_set_right(evidence: Evidence) -> None:
    """Address and times are those of this run: only what the two programs drew at random tells."""
    old = recorded(NATIVE)
    ours, theirs = (
        datetime.strptime(e.native["server"][index(e, "server", "P2P Connected")][:29], _AT) for e in (evidence, old)
    )
    shift = (ours - theirs).total_seconds()
    earlier_log_readdressed(evidence)
    evidence.native["server"] = [moved(line, shift) for line in evidence.native["server"]]


def out_of_order(evidence: Evidence) -> None:
    lines = evidence.native["server"]
    one, other = index(evidence, "server", "accepted verack"), index(evidence, "server", "accepted ready")
    lines[one], lines[other] = lines[other], lines[one]


def connected_twice(evidence: Evidence) -> None:
    evidence.native["client"].append(evidence.native["client"][index(evidence, "client", "P2P Connected")])


def interleaved(evidence: Evidence) -> None:
    """A second caller's handshake, at the same time."""
    ours = caller(evidence)
    lines = evidence.native["server"]
    evidence.native["server"] = [x for line in lines for x in (line, line.replace(ours, "[::1]:60000"))]


def half_a_handshake_before(evidence: Evidence) -> None:
    """One that the log does not show from its beginning ends just before ours."""
    where = index(evidence, "server", "sending version")
    connected = evidence.native["server"][index(evidence, "server", "P2P Connected")]
    evidence.native["server"].insert(where, connected.replace(caller(evidence), "[::1]:60000"))


def of_a_third(evidence: Evidence) -> None:
    ours = caller(evidence)
    evidence.native["server"] = [line.replace(ours, "[::1]:60000") for line in evidence.native["server"]]


def version_without_id(evidence: Evidence) -> None:
    where = index(evidence, "client", "accepted version")
    evidence.native["client"][where] = re.sub(r" id: \[[0-9, ]+\]", " id: []", evidence.native["client"][where])


def another_callers(evidence: Evidence) -> None:
    evidence.edit("client", m.STREAM_OPENED, lambda line: re.sub(r"caller=\S+", "caller=[::1]:60000", line))


def no_caller(evidence: Evidence) -> None:
    evidence.edit("server", m.STREAM_ACCEPTED, lambda line: re.sub(r" caller=\S+", "", line))


def called_by_unix(evidence: Evidence) -> None:
    evidence.edit("server", m.STREAM_ACCEPTED, lambda line: re.sub(r" caller=\S+", " caller=unix", line))


def of_another_unit(evidence: Evidence) -> None:
    native_socket(evidence, "client")["cgroup"] = "/system.slice/kaspa-native-client2.service"


def carried_by_another(evidence: Evidence) -> None:
    peer_socket(evidence, "server")["cgroup"] = "/system.slice/socat.service"


def local_socket_closing(evidence: Evidence) -> None:
    native_socket(evidence, "server")["state"] = "FIN-WAIT-1"


def not_running(evidence: Evidence) -> None:
    during(evidence, "client")["native"]["service"]["active"] = False  # type: ignore[index]


def server_restarted(evidence: Evidence) -> None:
    during(evidence, "server")["native"]["service"]["invocation"] = "f" * 32  # type: ignore[index]


def server_replaced(evidence: Evidence) -> None:
    during(evidence, "server")["native"]["service"]["pid"] += 1  # type: ignore[index]


def start_unknown(evidence: Evidence) -> None:
    during(evidence, "client")["native"]["service"]["invocation"] = ""  # type: ignore[index]


def unit_of_another_name(evidence: Evidence) -> None:
    during(evidence, "client")["native"]["service"]["name"] = "kaspa-native-server"  # type: ignore[index]


def nothing_of_the_program(evidence: Evidence) -> None:
    during(evidence, "server")["native"] = None


def door_unknown(evidence: Evidence) -> None:
    during(evidence, "client")["status"]["remotes"][0]["listen"] = None  # type: ignore[index]


def door_of_unix(evidence: Evidence) -> None:
    during(evidence, "client")["status"]["remotes"][0]["listen"] = "unix:/run/door.sock"  # type: ignore[index]


def backend_unknown(evidence: Evidence) -> None:
    during(evidence, "server")["status"]["backend"]["address"] = None  # type: ignore[index]


def silent_socket(evidence: Evidence) -> None:
    """It stands, and nothing went over it."""
    for host in ("client", "server"):
        for entry in (native_socket(evidence, host), peer_socket(evidence, host)):
            entry.update({"bytes_acked": 0, "bytes_received": 0})


def uncounted_socket(evidence: Evidence) -> None:
    native_socket(evidence, "client")["bytes_acked"] = None


def ends_count_differently(evidence: Evidence) -> None:
    add(native_socket(evidence, "client"), "bytes_acked", 100)


def programs_count_differently(evidence: Evidence) -> None:
    add(native_socket(evidence, "server"), "bytes_received", 100)
    add(peer_socket(evidence, "server"), "bytes_acked", 100)
    during(evidence, "server")["status"]["sessions"][0]["bytes_received"] += 100  # type: ignore[index]


def stream_carried_less(evidence: Evidence) -> None:
    during(evidence, "server")["status"]["sessions"][0]["bytes_received"] = 10  # type: ignore[index]


def stream_uncounted(evidence: Evidence) -> None:
    during(evidence, "client")["status"]["sessions"][0]["bytes_sent"] = None  # type: ignore[index]


def idle(evidence: Evidence) -> None:
    """The direct connection did not carry it."""
    for host in ("client", "server"):
        before = direct(evidence, host, "before")
        for label in ("during", "after"):
            found = direct(evidence, host, label)
            found.update({"bytes_acked": before["bytes_acked"], "bytes_received": before["bytes_received"]})


def another_connection(evidence: Evidence) -> None:
    direct(evidence, "client", "during")["cookie"] = "other"


def on_the_relay_too(evidence: Evidence) -> None:
    """As many bytes went to the relay as the session took."""
    add(to_relay(evidence, "client", "after"), "bytes_acked", 400)


def relay_looked_too_early(evidence: Evidence) -> None:
    """Its counters were read before the session moved anything."""
    early = evidence.before("relay")["controller_time"] - evidence.after("relay")["controller_time"]
    for name in ("time", "controller_time"):
        add_time(evidence.after("relay"), name, early)


def add_time(snapshot: dict[str, object], name: str, seconds: float) -> None:
    """Move a time of a snapshot."""
    value = snapshot[name]
    assert isinstance(value, float)
    snapshot[name] = value + seconds


def clock_set(evidence: Evidence) -> None:
    add_time(during(evidence, "client"), "time", 600.0)


def older_stream(evidence: Evidence) -> None:
    evidence.edit("client", m.STREAM_OPENED, lambda line: moved(line, -4.0))


def handshake_before_the_stream(evidence: Evidence) -> None:
    lines = evidence.native["server"]
    evidence.native["server"] = [moved(line, -1.0) if line.startswith("2026") else line for line in lines]


def handshake_after_the_look(evidence: Evidence) -> None:
    where = index(evidence, "client", "P2P Connected")
    evidence.native["client"][where] = moved(evidence.native["client"][where], 3.0)


def ended_before(evidence: Evidence) -> None:
    session = during(evidence, "server")["status"]["sessions"][0]["session"]  # type: ignore[index]
    line = evidence.journals["server"][-1]
    evidence.journals["server"].append(
        f"{line[:29]} [INFO ] over milestone=stream.closed session={session} reason=reset"
    )


def not_listed(evidence: Evidence) -> None:
    during(evidence, "client")["status"]["sessions"] = []  # type: ignore[index]


def not_carried(evidence: Evidence) -> None:
    during(evidence, "client")["status"]["sessions"][0]["state"] = "ready"  # type: ignore[index]


def log_lost(evidence: Evidence) -> None:
    del evidence.native["client"]


def server_log_lost(evidence: Evidence) -> None:
    del evidence.native["server"]


def look_lost(evidence: Evidence) -> None:
    del evidence.snapshots["server", "during"]


def look_in_vain(evidence: Evidence) -> None:
    during(evidence, "server")["error"] = f"there is no session on connection {conn(evidence)} after 60 s"


def journal_lost(evidence: Evidence) -> None:
    del evidence.journals["client"]


def opened_twice(evidence: Evidence) -> None:
    evidence.edit("client", m.STREAM_OPENED, lambda line: f"{line}\n{line}")


def a_later_stream_of_the_run(evidence: Evidence) -> None:
    """Another program called while the first one's session stood."""
    session = during(evidence, "client")["status"]["sessions"][0]["session"]  # type: ignore[index]
    evidence.edit("client", m.STREAM_OPENED, lambda line: f"{line}\n{line.replace(session, session + '5')}")


def not_native_by_the_run(evidence: Evidence) -> None:
    """As if the peers spoke Kaspa themselves."""
    for host in ("client", "server"):
        evidence.run["hosts"][host]["native"] = None
    evidence.run["session"]["session"] = f"{conn(evidence)}.3"
