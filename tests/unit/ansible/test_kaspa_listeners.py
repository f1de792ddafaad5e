from __future__ import annotations

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_listeners

BY_UNIT = (
    'tcp LISTEN 0 128 0.0.0.0:4012 0.0.0.0:* users:(("kaspa-node",pid=77,fd=6)) uid:999 ino:1 sk:1 '
    "cgroup:/system.slice/kaspa-peer.service <->"
)
BY_HAND = 'tcp LISTEN 0 4096 [::]:4011 [::]:* users:(("python3",pid=1234,fd=3)) ino:2 sk:2 cgroup:/user.slice <->'
NAMELESS = "udp UNCONN 0 5 127.0.0.1%lo:53 0.0.0.0:* ino:3 sk:3"
BOTH = "tcp LISTEN 0 128 *:80 *:* ino:4 sk:4 cgroup:/system.slice/web.socket v6only:0 <->"

MAPPED = 'tcp LISTEN 0 100 [::ffff:127.0.0.1]:8080 *:* users:(("java",pid=9,fd=3)) ino:5 sk:5 v6only:0 <->'


@pytest.mark.parametrize(
    ("line", "protocol", "port", "owner", "local", "families"),
    [
        (BY_UNIT, "tcp", 4012, "kaspa-peer.service", False, (4,)),
        (BY_HAND, "tcp", 4011, "python3 (pid 1234)", False, (6,)),
        (NAMELESS, "udp", 53, "another program", True, (4,)),
        (BOTH, "tcp", 80, "web.socket", False, (4, 6)),
        (MAPPED, "tcp", 8080, "java (pid 9)", True, (4,)),
    ],
)
def test_who_listens_where(
    line: str, protocol: str, port: int, owner: str, local: bool, families: tuple[int, ...]
) -> None:
    (found,) = kaspa_listeners.parse(f"nonsense\n\n{line}\n")
    assert (found.protocol, found.port, found.owner) == (protocol, port, owner)
    assert (found.local, found.families) == (local, families)


def test_owners_are_those_of_tcp_ports() -> None:
    listeners = kaspa_listeners.parse("\n".join([BY_UNIT, NAMELESS, BOTH]))
    assert kaspa_listeners.owners(listeners) == {4012: "kaspa-peer.service", 80: "web.socket"}
