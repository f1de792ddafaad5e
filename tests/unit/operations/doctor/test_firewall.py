from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaspa_node.evidence.decode import as_record
from operations.doctor.facts import Firewall
from operations.doctor.firewall import read_firewall

FILTERS = Path(__file__).parents[2] / "ansible" / "filters"
DEFAULTS = 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n'
REJECT = ":INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with icmp-host-prohibited"
ADDRESSES = "2: eth0    inet 192.0.2.7/24 scope global eth0\n2: eth0    inet6 2001:db8::7/64 scope global\n"
NOTHING: dict[str, Any] = {
    "addresses": ADDRESSES,
    "ufw": None,
    "iptables": "",
    "ip6tables": "",
    "nft": "",
    "firewalld": False,
}


def read(*rules: str, active: bool = True, **others: Any) -> Firewall:
    rules4 = "\n".join(f"### tuple ### {rule} in" for rule in rules)
    ufw = {"active": active, "defaults": DEFAULTS, "rules4": rules4, "rules6": None}
    listening = others.pop("listening", ())
    answer = {**NOTHING, "ufw": ufw, **others}
    return read_firewall(as_record("filters", answer), 4011, listening)


@pytest.mark.parametrize(
    ("rules", "shut", "partly"),
    [
        (["allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0"], "", ""),
        (["allow any 4000:4100 0.0.0.0/0 any 0.0.0.0/0"], "", ""),
        ([], "ufw is active, denies incoming connections, and has no rule that allows 4011/tcp", ""),
        (
            ["reject tcp 4000:4100 0.0.0.0/0 any 0.0.0.0/0", "allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0"],
            "ufw: `ufw reject 4000:4100/tcp`",
            "",
        ),
        (["limit tcp 4011 0.0.0.0/0 any 0.0.0.0/0"], "", "ufw: `ufw limit 4011/tcp`"),
        (
            ["allow tcp 4011 0.0.0.0/0 any 192.0.2.0/24"],
            "",
            "ufw: `ufw allow from 192.0.2.0/24 to any port 4011 proto tcp`",
        ),
    ],
)
def test_the_rule_that_decides_is_named(rules: list[str], shut: str, partly: str) -> None:
    assert read(*rules) == Firewall(True, shut, partly)


def test_a_filter_that_is_off_or_absent_shuts_nothing() -> None:
    assert read(active=False) == Firewall(False)
    assert read(ufw=None) == Firewall(False)


def test_firewalld_is_read_by_its_table() -> None:
    table = (FILTERS / "firewalld.json").read_text()
    shut = "the nftables table inet firewalld: a rule of its chain filter_IN_public"
    assert read(ufw=None, firewalld=True, nft=table) == Firewall(True, shut, others=True)
    opened = table.replace('"right":4012', '"right":4011')
    assert read(ufw=None, firewalld=True, nft=opened) == Firewall(True)


def test_a_rule_of_another_filter_goes_before_ufws() -> None:
    found = read("allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0", iptables=REJECT)
    assert found == Firewall(True, "iptables: -A INPUT -j REJECT --reject-with icmp-host-prohibited", others=True)
    assert read(ufw=None, ip6tables=REJECT) == Firewall(False)


def test_a_host_that_strangers_reach_by_ipv6_only() -> None:
    routes = {"routes4": "", "routes6": "default via fe80::1 dev eth0"}
    rule = "ip6tables: -A INPUT -j REJECT --reject-with icmp-host-prohibited"
    assert read(ufw=None, ip6tables=REJECT, **routes) == Firewall(False, rule, others=True)
    # Only IPv4 has a rule for it.
    by_default = "ufw is active, denies incoming connections, and has no rule that allows 4011/tcp"
    assert read("allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0", **routes) == Firewall(True, by_default)


def test_a_host_that_strangers_reach_by_both_ip_versions() -> None:
    routes = {"routes4": "default via 192.0.2.1 dev eth0", "routes6": "default via fe80::1 dev eth0"}
    rule = "ip6tables: -A INPUT -j REJECT --reject-with icmp-host-prohibited"
    assert read(ufw=None, ip6tables=REJECT, **routes) == Firewall(False, rule, others=True, family=6)
    assert read(ufw=None, ip6tables=REJECT, **routes, listening=["0.0.0.0"]) == Firewall(False)
    by_default = "ufw is active, denies incoming connections, and has no rule that allows 4011/tcp"
    four = "allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0"
    assert read(four, **routes) == Firewall(True, by_default, family=6)
    assert read(**routes) == Firewall(True, by_default)
    limited = f"### tuple ### {four.replace('allow', 'limit')} in"
    ufw = {"active": True, "defaults": DEFAULTS, "rules4": limited, "rules6": None}
    assert read(ufw=ufw, **routes) == Firewall(True, by_default)
    without = {**ufw, "defaults": DEFAULTS.replace("yes", "no"), "rules4": f"### tuple ### {four} in"}
    assert read(ufw=without, **routes) == Firewall(True, "ufw: IPV6=no in /etc/default/ufw", family=6)


def test_what_throws_ufws_rules_away_is_found_unless_ufw_is_not_used() -> None:
    rulesets = (
        "ExecStart={ path=/usr/sbin/nft ; argv[]=/usr/sbin/nft -f /etc/nftables.conf ; pid=0 }\nId=nftables.service\n"
        "/etc/nftables.conf:flush ruleset\n"
    )
    ufw = {"active": False, "defaults": DEFAULTS, "rules4": "", "rules6": "", "boot": "ENABLED=yes\nLOGLEVEL=low\n"}
    found = read(ufw=ufw, rulesets=rulesets)
    assert found.replaced.startswith("nftables.service replaces all rules of the host at boot or when it is reloaded")
    assert found.remedy == "disable it (systemctl disable nftables.service)"
    for without in ({"ufw": {**ufw, "boot": "ENABLED=no\n"}}, {"ufw": None}, {"rulesets": ""}):
        assert read(**{"ufw": ufw, "rulesets": rulesets, **without}).replaced == ""
