"""What a filter lets in, by rules that ufw 0.36.2 wrote: `ufw/` holds its files and what it printed about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import (
    EVERYWHERE,
    LIMITED,
    NOWHERE,
    SOME,
    Filter,
)

CAPTURED = Path(__file__).parent / "ufw"
DEFAULTS = 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_FORWARD_POLICY="DROP"\n'


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def owners() -> Filter:
    """All kinds of rules, as somebody may have them."""
    return kaspa_ufw.parse(True, DEFAULTS, captured("user.rules"), captured("user6.rules"))


def tuples(*lines: str) -> str:
    return "".join(f"### tuple ### {line}\n" for line in lines)


def filter_of(*lines: str, defaults: str = DEFAULTS, active: bool = True) -> Filter:
    """A filter with these rules for IPv4."""
    return kaspa_ufw.parse(active, defaults, tuples(*lines), "")


ANY = "0.0.0.0/0 any 0.0.0.0/0"


def test_rules_are_numbered_as_ufw_numbers_them(owners: Filter) -> None:
    rows = [re.match(r"\[ *(\d+)\] (.*?) {2,}", line) for line in captured("numbered").splitlines()]
    printed = [(int(row[1]), row[2]) for row in rows if row]
    four = len({rule.number for rule in owners.family(4)})
    numbers = {rule.number + (four if rule.family == 6 else 0) for rule in owners.rules}
    assert numbers == {number for number, _ in printed}
    named = dict(printed)
    for rule in owners.rules:
        what = named[rule.number + (four if rule.family == 6 else 0)]
        assert (rule.app or (rule.ports if rule.ports != "any" else "Anywhere")) in what
        assert ("(v6)" in what) == (rule.family == 6)


def test_a_rule_reads_as_ufw_shows_it(owners: Filter) -> None:
    shown = {re.sub(r" comment '.*'$| log(-all)?\b", "", line) for line in captured("added").splitlines()}
    rules = {rule.text() for rule in owners.rules}
    # The model does not know the interface that a forwarded packet leaves by.
    assert shown - rules == {"ufw route allow in on eth0 out on eth1"}
    assert rules - shown == {"ufw route allow in on eth0"}


@pytest.mark.parametrize(
    ("port", "protocol", "family", "origin", "rule"),
    [
        (7000, "tcp", 4, EVERYWHERE, "ufw allow 7000/tcp"),
        (7000, "tcp", 6, EVERYWHERE, "ufw allow 7000/tcp"),
        (7000, "udp", 4, SOME, "ufw allow in on eth0"),
        (22, "tcp", 4, LIMITED, "ufw limit 22/tcp"),
        (80, "tcp", 6, EVERYWHERE, "ufw allow 'WWW Full'"),
        (2210, "tcp", 4, EVERYWHERE, "ufw allow 2200:2222/tcp"),
        (445, "tcp", 4, EVERYWHERE, "ufw allow CIFS"),
        (137, "udp", 4, EVERYWHERE, "ufw allow CIFS"),
        (4012, "tcp", 4, NOWHERE, "ufw deny 4012/tcp"),
        (4050, "tcp", 6, NOWHERE, "ufw reject 4000:4100/tcp"),
        (4011, "tcp", 4, NOWHERE, "ufw reject 4000:4100/tcp"),
        (53, "udp", 6, EVERYWHERE, "ufw allow 53"),
        (51820, "udp", 4, EVERYWHERE, "ufw allow 51820/udp"),
    ],
)
def test_the_first_rule_that_matches_decides(
    owners: Filter, port: int, protocol: str, family: int, origin: str, rule: str
) -> None:
    access = owners.access(port, protocol, family)
    assert access.origin == origin
    assert f"`{rule}`" in access.reason


def test_a_port_without_a_rule_follows_the_default_policy() -> None:
    assert filter_of().access(4011) == kaspa_ufw.Access(NOWHERE)
    opened = filter_of(defaults=DEFAULTS.replace('INPUT_POLICY="DROP', 'INPUT_POLICY="ACCEPT'))
    assert (opened.incoming, opened.access(4011).origin) == ("allow", EVERYWHERE)
    assert filter_of().access(4011).reason == "the default policy"


def test_a_filter_that_is_off_refuses_nothing_and_would_if_it_were_on() -> None:
    off = filter_of(f"deny tcp 4011 {ANY} in", active=False)
    assert off.access(4011).origin == EVERYWHERE
    assert off.access(4011, on=True).origin == NOWHERE


def test_rules_for_some_do_not_open_a_port_to_everybody() -> None:
    some = filter_of(
        "allow tcp 22 0.0.0.0/0 any 192.0.2.0/24 in",
        f"allow tcp 22 {ANY} in_eth1",
        "deny tcp 22 0.0.0.0/0 any 198.51.100.0/24 in",
    )
    access = some.access(22)
    assert access.origin == SOME
    assert (
        access.reason
        == "`ufw allow from 192.0.2.0/24 to any port 22 proto tcp`, `ufw allow in on eth1 to any port 22 proto tcp`"
    )
    assert some.access(22, source="192.0.2.7").origin == EVERYWHERE
    assert some.access(22, source="203.0.113.5").origin == SOME
    assert some.access(22, source="198.51.100.9").origin == SOME
    only = filter_of("allow tcp 22 0.0.0.0/0 any 192.0.2.0/24 in")
    assert only.access(22, source="203.0.113.5").origin == NOWHERE
    assert only.access(22, family=6, source="2001:db8::1").origin == NOWHERE


@pytest.mark.parametrize(
    ("lines", "origin"),
    [
        ([f"deny tcp 4011 {ANY} in_eth0", f"allow tcp 4011 {ANY} in"], NOWHERE),
        ([f"deny tcp 4011 {ANY} in_eth1", f"allow tcp 4011 {ANY} in"], EVERYWHERE),
        (["deny tcp 4011 203.0.113.7 any 0.0.0.0/0 in", f"allow tcp 4011 {ANY} in"], NOWHERE),
        (["deny tcp 4011 203.0.113.8 any 0.0.0.0/0 in", f"allow tcp 4011 {ANY} in"], EVERYWHERE),
        ([f"allow tcp 4011 {ANY} in_eth0"], EVERYWHERE),
        ([f"allow tcp 4011 {ANY} in_eth+"], EVERYWHERE),
        ([f"allow tcp 4011 {ANY} in_wg+"], NOWHERE),
        (["limit tcp 4011 203.0.113.0/24 any 0.0.0.0/0 in_eth0"], LIMITED),
        (["allow tcp 4011 0.0.0.0/0 any 192.0.2.0/24 in_eth0"], SOME),
        (["allow tcp 4011 0.0.0.0/0 4000 0.0.0.0/0 in_eth0"], SOME),
    ],
)
def test_rules_by_interface_and_own_address_are_for_strangers_or_not(lines: list[str], origin: str) -> None:
    assert filter_of(*lines).access(4011, interface="eth0", to="203.0.113.7").origin == origin


def test_addresses_that_are_blocked_leave_a_port_open_to_everybody_else() -> None:
    blocked = filter_of("deny any any 0.0.0.0/0 any 198.51.100.7 in", f"allow tcp 4011 {ANY} in")
    access = blocked.access(4011)
    assert access.origin == EVERYWHERE
    assert [rule.source for rule in access.exceptions] == ["198.51.100.7"]
    assert blocked.access(4011, source="198.51.100.7").origin == NOWHERE


@pytest.mark.parametrize(
    "line",
    [
        f"route:allow tcp 4011 {ANY} in_eth0!out_eth1",
        f"allow tcp 4011 {ANY} out",
        f"allow udp 4011 {ANY} in",
        f"allow tcp 4012:4020,80 {ANY} in",
        "allow tcp any 0.0.0.0/0 4011 0.0.0.0/0 in",
    ],
)
def test_rules_that_do_not_open_the_port_to_everybody(line: str) -> None:
    assert filter_of(line).access(4011).origin in (NOWHERE, SOME)


def test_without_rules_for_ipv6_a_filter_refuses_all_of_it() -> None:
    four = kaspa_ufw.parse(True, 'IPV6=no\nDEFAULT_INPUT_POLICY="ACCEPT"\n', tuples(f"allow tcp 22 {ANY} in"), "")
    assert four.access(22).origin == EVERYWHERE
    assert four.access(22, family=6).origin == NOWHERE


def test_an_exact_rule_is_one_that_ufw_would_replace() -> None:
    exact, wide = filter_of(f"deny tcp 4012 {ANY} in", f"reject tcp 4000:4100 {ANY} in").rules
    assert exact.exactly(4012, "tcp")
    assert not wide.exactly(4012, "tcp")


def test_lines_in_the_form_of_older_releases_and_lines_that_ufw_skips() -> None:
    rules = filter_of("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0", "nonsense", f"allow tcp 80 {ANY} Web - in").rules
    assert [(rule.number, rule.ports, rule.app, rule.direction) for rule in rules] == [
        (1, "22", "", "in"),
        (2, "80", "Web", "in"),
    ]


def test_our_rules_have_our_comment(owners: Filter) -> None:
    assert {rule.ports for rule in owners.rules if rule.ours} == {"7000"}
    assert {rule.comment for rule in owners.rules} == {"", "kaspa-node", "owner", "a b c"}
