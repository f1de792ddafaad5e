from __future__ import annotations

from ansible.module_utils import kaspa_listeners

BY_UNIT = (
    'LISTEN 0 128 0.0.0.0:4012 0.0.0.0:* users:(("kaspa-node",pid=77,fd=6)) uid:999 ino:1 sk:1 '
    "cgroup:/system.slice/kaspa-peer.service <->"
)
BY_HAND = 'LISTEN 0 4096 [::]:4011 [::]:* users:(("python3",pid=1234,fd=3)) ino:2 sk:2 cgroup:/user.slice <->'
NAMELESS = "LISTEN 0 5 127.0.0.1%lo:53 0.0.0.0:* ino:3 sk:3"


def test_the_unit_is_named_before_the_program() -> None:
    assert kaspa_listeners.parse(BY_UNIT) == {4012: "kaspa-peer.service"}


def test_a_program_without_a_unit_is_named_with_its_process() -> None:
    assert kaspa_listeners.parse(BY_HAND) == {4011: "python3 (pid 1234)"}


def test_who_can_not_be_seen_is_another_program() -> None:
    assert kaspa_listeners.parse(f"{NAMELESS}\n\nnonsense\n") == {53: "another program"}
