"""Which sessions there are by what the hosts say, and which packets belong to one."""

from __future__ import annotations

from typing import Any

from kaspa_node.evidence.endpoints import Endpoint
from operations.capture import plan

RELAY = "203.0.113.10:4011"
ID = "17e91c4eafa0b340.1"


def status(local: str, remote: str, seen: str | None, *rows: dict[str, Any]) -> dict[str, Any]:
    relay = {"addr": "/ip4/203.0.113.10/tcp/4011/p2p/12D3KooRelay", "observed": seen}
    return {"relays": [relay], "sessions": [{"local": local, "remote": remote, **row} for row in rows]}


def row(direction: str, path: str = "direct", session: str = ID, since: float = 100.0) -> dict[str, Any]:
    return {"session": session, "path": path, "direction": direction, "since": since}


DIRECT = {
    "server": status("10.2.0.2:4012", "203.0.113.20:4012", "203.0.113.30:4012", row("incoming")),
    "client": status("10.1.0.2:4012", "203.0.113.30:4012", "203.0.113.20:4012", row("outgoing")),
}
RELAYED = {
    "server": status("10.2.0.2:4012", RELAY, "203.0.113.30:4012", row("incoming", "relayed")),
    "client": status("10.1.0.2:4012", RELAY, "203.0.113.20:1717", row("outgoing", "relayed")),
}


def filters(statuses: dict[str, Any], **words: bool) -> dict[str, str]:
    (session,) = plan.sessions(statuses)
    return {
        f"{place.name} {place.interface}": place.filter
        for place in plan.places(session, ["relay"], ["nat-client"], **words)
    }


def test_a_session_is_put_together_from_both_ends_the_dialer_first() -> None:
    (session,) = plan.sessions(DIRECT)
    assert session.hosts == ("client", "server")
    assert session.told == f"{ID} (client and server, direct)"
    assert [end.seen for end in session.ends] == [Endpoint("203.0.113.20", 4012), Endpoint("203.0.113.30", 4012)]


def test_a_direct_session_is_looked_for_at_its_ends_on_relays_and_routers() -> None:
    public = "tcp and host 203.0.113.20 and port 4012 and host 203.0.113.30"
    assert filters(DIRECT) == {
        "client any": "tcp and host 10.1.0.2 and port 4012 and host 203.0.113.30",
        "server any": "tcp and host 10.2.0.2 and port 4012 and host 203.0.113.20",
        "relay any": public,
        "nat-client wan": public,
    }


def test_with_a_relayed_session_come_the_packets_between_the_public_addresses() -> None:
    relay = "host 203.0.113.10 and port 4011"
    middle = (
        "tcp and ((host 203.0.113.10 and port 4011 and host 203.0.113.20 and port 1717)"
        " or (host 203.0.113.10 and port 4011 and host 203.0.113.30 and port 4012)"
        " or (host 203.0.113.20 and host 203.0.113.30))"
    )
    assert filters(RELAYED) == {
        "client any": f"tcp and ((host 10.1.0.2 and port 4012 and {relay}) or (host 203.0.113.30))",
        "server any": f"tcp and ((host 10.2.0.2 and port 4012 and {relay}) or (host 203.0.113.20))",
        "relay any": middle,
        "nat-client wan": middle,
    }


def test_the_other_end_may_be_no_host_of_ours() -> None:
    found = filters({"client": DIRECT["client"]})
    assert found["client any"] == "tcp and host 10.1.0.2 and port 4012 and host 203.0.113.30"
    assert found["relay any"] == "tcp and host 203.0.113.20 and port 4012 and host 203.0.113.30"


def test_nobody_may_have_told_where_an_end_is_seen() -> None:
    lone = {"client": status("10.1.0.2:4012", RELAY, None, row("outgoing", "relayed"))}
    assert filters(lone)["relay any"] == ("tcp and host 10.1.0.2 and port 4012 and host 203.0.113.10 and port 4011")


def test_on_loopback_one_place_sees_all() -> None:
    statuses = {
        "client": status("127.0.0.20:4012", "127.0.0.30:4012", None, row("outgoing")),
        "server": status("127.0.0.30:4012", "127.0.0.20:4012", None, row("incoming")),
    }
    assert filters(statuses, loopback=True) == {
        "client lo": "tcp and host 127.0.0.20 and port 4012 and host 127.0.0.30"
    }


def test_a_connection_that_has_just_gone_is_no_session() -> None:
    assert plan.sessions({"client": {"sessions": [{**row("outgoing"), "local": None, "remote": None}]}}) == []


def test_a_relay_has_no_sessions() -> None:
    assert plan.sessions({"relay": {"role": "relay", "circuits": []}}) == []


def test_sessions_are_found_by_id_by_its_beginning_and_by_hosts() -> None:
    later = row("outgoing", session="2222222222222222.1", since=200.0)
    statuses = {"client": {**DIRECT["client"]}, "server": DIRECT["server"]}
    statuses["client"]["sessions"] = [*DIRECT["client"]["sessions"], {**DIRECT["client"]["sessions"][0], **later}]
    found = plan.sessions(statuses)
    assert [session.id for session in found] == ["2222222222222222.1", ID]
    assert plan.named(found, ID) == plan.named(found, "17e9") == plan.between(found, "server", "client") == [found[1]]
    assert plan.named(found, "") == plan.named(found, "3") == plan.between(found, "client", "relay") == []
    assert len(plan.named(plan.sessions(DIRECT), ID[:3])) == 1
