from __future__ import annotations

import pytest
from ansible.module_utils import kaspa_ufw

ACTIVE = """\
Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)
New profiles: skip
"""
NO_RULES = "Added user rules (see 'ufw status' for running firewall):\n(None)\n"


def added(*rules: str) -> str:
    return "Added user rules (see 'ufw status' for running firewall):\n" + "\n".join(rules) + "\n"


def test_a_filter_that_is_on() -> None:
    found = kaspa_ufw.parse(ACTIVE, added("ufw allow 22/tcp", "ufw allow 4012/tcp comment 'kaspa-node'"))
    assert found == {"active": True, "incoming": "deny", "allowed": [22, 4012], "ours": [4012]}


def test_a_filter_that_is_off_has_its_default_in_a_file() -> None:
    found = kaspa_ufw.parse("Status: inactive\n", NO_RULES, 'IPV6=yes\nDEFAULT_INPUT_POLICY="ACCEPT"\n')
    assert found == {"active": False, "incoming": "allow", "allowed": [], "ours": []}


@pytest.mark.parametrize("rule", ["ufw allow 22", "ufw limit 22/tcp", "ufw allow OpenSSH", "ufw limit ssh"])
def test_many_ways_to_allow_ssh(rule: str) -> None:
    assert kaspa_ufw.parse(ACTIVE, added(rule))["allowed"] == [22]


@pytest.mark.parametrize(
    "rule",
    [
        "ufw deny 22/tcp",
        "ufw allow 22/udp",
        "ufw allow from 192.0.2.1 to any port 22 proto tcp",
        "ufw allow 'Nginx Full'",
        "ufw allow in on eth1 to any port 22 proto tcp",
        "ufw allow 2200:2222/tcp",
    ],
)
def test_a_rule_that_does_not_open_one_port_to_everybody_does_not_count(rule: str) -> None:
    assert kaspa_ufw.parse(ACTIVE, added(rule))["allowed"] == []
