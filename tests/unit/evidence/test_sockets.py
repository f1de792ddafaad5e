from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.evidence.sockets import Socket, in_cgroup_of, parse

INFO = "ts sack cubic wscale:7,7 rto:204 rtt:50.1/0.2 mss:1448 cwnd:10 "
DIRECT = (
    "ESTAB 0      0      10.1.0.2:4012 203.0.113.30:4012 "
    'users:(("kaspa-node",pid=7079,fd=4),("kaspa-node",pid=7080,fd=4)) ino:10977 sk:1a '
    f"cgroup:/system.slice/kaspa-peer.service <-> {INFO}"
    "bytes_sent:1040 bytes_acked:1001 bytes_received:900 segs_out:3 bbr:(bw:0bps,mrtt:0.005) send 1bps"
)


def test_a_socket_with_all_that_ss_knows() -> None:
    assert parse(DIRECT) == [
        Socket(
            "ESTAB", "10.1.0.2:4012", "203.0.113.30:4012", 1040, 1001, 900, "1a", 10977,
            "/system.slice/kaspa-peer.service", (7079, 7080),
        )
    ]  # fmt: skip
    entry = parse(DIRECT)[0].as_entry()
    assert entry["pids"] == [7079, 7080]
    assert entry["cookie"] == "1a"


def test_a_counter_that_is_left_out_is_zero_but_without_tcp_info_it_is_unknown() -> None:
    (idle,) = parse(f"ESTAB 0 0 10.1.0.2:4012 203.0.113.30:4012 ino:1 sk:2 cgroup:/ <-> {INFO}")
    assert (idle.bytes_sent, idle.bytes_acked, idle.bytes_received) == (0, 0, 0)
    (blind,) = parse("ESTAB 0 0 10.1.0.2:4012 203.0.113.30:4012 ino:1 sk:2 cgroup:/")
    assert (blind.bytes_sent, blind.bytes_acked, blind.bytes_received) == (None, None, None)
    (bare,) = parse("ESTAB 0 0 10.1.0.2:4012 203.0.113.30:4012")
    assert (bare.cookie, bare.inode, bare.cgroup, bare.pids) == (None, None, None, ())


@pytest.mark.parametrize(
    ("local", "remote", "expected"),
    [
        ("[::1]:40180", "[fd00::2]:37199", ("[::1]:40180", "[fd00::2]:37199")),
        ("[fe80::1]%eth0:22", "[fe80::2]:1", ("[fe80::1]:22", "[fe80::2]:1")),
        ("[fe80::1%eth0]:22", "[fe80::2]:1", ("[fe80::1]:22", "[fe80::2]:1")),
        ("10.0.0.1%eth0:68", "0.0.0.0:*", ("10.0.0.1:68", "0.0.0.0:*")),
        ("[::ffff:10.1.0.2]:4012", "[::]:*", ("[::ffff:10.1.0.2]:4012", "[::]:*")),
    ],
)
def test_addresses_of_both_families(local: str, remote: str, expected: tuple[str, str]) -> None:
    (socket,) = parse(f"LISTEN 0 128 {local} {remote} ino:1 sk:2")
    assert (socket.local, socket.remote) == expected


def test_lines_that_are_no_sockets_are_passed_over() -> None:
    assert parse("") == []
    assert parse("Cannot open netlink socket\n\nESTAB 0 0 nowhere 10.1.0.2:1 x\nESTAB 0 0 10.1.0.2:1 nowhere") == []


def test_a_process_can_not_name_itself_into_another_cgroup() -> None:
    name = 'x",pid=1 cgroup:/system.slice/kaspa-peer.service'
    (socket,) = parse(
        f'ESTAB 0 0 10.1.0.2:1 10.1.0.3:2 users:(("{name}",pid=9,fd=1)) ino:1 sk:2 cgroup:/other <-> {INFO}'
    )
    assert socket.cgroup == "/other"
    assert socket.pids == (9,)
    (twice,) = parse(f"ESTAB 0 0 10.1.0.2:1 10.1.0.3:2 sk:2 cgroup:/other cgroup:/kaspa-peer.service {INFO}")
    assert twice.cgroup == "/other"


@pytest.mark.parametrize(
    ("cgroup", "owned"),
    [
        ("/system.slice/kaspa-peer.service", True),
        ("/lab/client/system.slice/kaspa-peer.service/inner", True),
        ("/../../system.slice/kaspa-peer.service", True),
        ("/system.slice/kaspa-peer.service2", False),
        ("/system.slice/xkaspa-peer.service", False),
        ("/kaspa-peer", False),
        (None, False),
    ],
)
def test_a_cgroup_belongs_to_a_service_by_a_whole_name(cgroup: str | None, owned: bool) -> None:
    assert in_cgroup_of(cgroup, "kaspa-peer") is owned
    assert in_cgroup_of(cgroup, "kaspa-peer.service") is owned


def test_a_number_that_is_none_is_not_known() -> None:
    (socket,) = parse(f"ESTAB 0 0 10.1.0.2:1 10.1.0.3:2 ino:x sk:2 {INFO}bytes_acked:{'9' * 21} bytes_received:٣")
    assert (socket.inode, socket.bytes_acked, socket.bytes_received) == (None, None, None)


@given(st.text() | st.lists(st.sampled_from(DIRECT.split(" ")) | st.text(max_size=8)).map(" ".join))
def test_no_text_raises(text: str) -> None:
    for socket in parse(text):
        assert socket.owned_by("kaspa-peer") in (True, False)
