"""Which commands of ufw a deploy and an uninstall run, by the filter that they find."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_firewall_plan as plans
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_firewall_plan import Plan, Wanted
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import Filter

ANY = "0.0.0.0/0 any 0.0.0.0/0"
OURS = "comment=6b617370612d6e6f6465"
OPEN_4011 = ["allow", "to", "0.0.0.0/0", "port", "4011", "proto", "tcp", "comment", "kaspa-node"]
ON = ["--force", "enable"]
WANTED = Wanted(node=[4011], ssh=[2222], source="198.51.100.9", came=2222)


def filter_of(*lines: str, active: bool = True, ipv6: bool = False, policy: str = "DROP") -> Filter:
    """A filter with these rules; with `ipv6` it has the same ones there."""
    text = "".join(f"### tuple ### {line}\n" for line in lines)
    defaults = f'IPV6={"yes" if ipv6 else "no"}\nDEFAULT_INPUT_POLICY="{policy}"\n'
    return kaspa_ufw.parse(active, defaults, text, text.replace("0.0.0.0/0", "::/0"))


def present(found: Filter, wanted: Wanted = WANTED, recorded: dict[str, Any] | None = None) -> Plan:
    return plans.present(found, recorded or {}, wanted)


def opened(port: int, address: str = "0.0.0.0/0") -> list[str]:
    return ["allow", "to", address, "port", str(port), "proto", "tcp", "comment", "kaspa-node"]


def deleted(port: int, address: str = "0.0.0.0/0") -> list[str]:
    return ["--force", "delete", "allow", "to", address, "port", str(port), "proto", "tcp"]


def test_a_filter_that_was_off_lets_ssh_in_by_its_real_port_before_it_is_on() -> None:
    plan = present(filter_of(active=False, ipv6=True))
    assert plan.commands == [opened(2222), opened(2222, "::/0"), opened(4011), opened(4011, "::/0"), ON]
    assert (plan.record["active"], plan.record["incoming"]) == (False, "deny")


@pytest.mark.parametrize(
    "rule",
    [
        "allow tcp 22 0.0.0.0/0 any 192.0.2.0/24 in",
        f"allow tcp 22 {ANY} in_eth1",
        f"allow tcp 2222 {ANY} in",
        f"limit tcp 2222 {ANY} in",
    ],
)
def test_a_filter_that_is_on_gets_no_rule_for_ssh(rule: str) -> None:
    assert present(filter_of(rule)).commands == [opened(4011)]


@pytest.mark.parametrize(
    "rule",
    ["allow tcp 2222 0.0.0.0/0 any 198.51.100.0/24 in", f"allow tcp 2222 {ANY} in_eth0", f"limit any 2222 {ANY} in"],
)
def test_a_rule_by_source_or_interface_is_a_rule_for_ssh(rule: str) -> None:
    assert present(filter_of(rule, active=False)).commands == [opened(4011), ON]


@pytest.mark.parametrize("rule", ["allow tcp 2222 0.0.0.0/0 any 192.0.2.0/24 in", f"deny tcp 2222 {ANY} in"])
def test_a_filter_that_would_shut_this_connection_out_is_not_switched_on(rule: str) -> None:
    plan = present(filter_of(rule, active=False))
    assert len(plan.problems) == 1
    assert "comes from 198.51.100.9 to 2222/tcp" in plan.problems[0]


def test_a_connection_by_ipv6_is_not_cut_by_a_filter_without_rules_for_it() -> None:
    by_ipv6 = Wanted(node=[4011], ssh=[2222], source="2001:db8::9", came=2222)
    (problem,) = present(filter_of(active=False), by_ipv6).problems
    assert "comes from 2001:db8::9, and ufw refuses all of IPv6 once it is on (IPV6=no in" in problem
    assert present(filter_of(active=False, ipv6=True), by_ipv6).problems == []


def test_a_rule_that_shuts_the_nodes_port_by_ipv6_alone() -> None:
    defaults = 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n'
    found = kaspa_ufw.parse(
        True,
        defaults,
        f"### tuple ### allow tcp 4011 {ANY} in\n",
        f"### tuple ### deny tcp 4011 {ANY} in\n".replace("0.0.0.0/0", "::/0"),
    )
    (problem,) = present(found).problems
    assert "the rule `ufw deny 4011/tcp` of this host shuts it by IPv6; remove that rule" in problem


@pytest.mark.parametrize(
    "rule",
    [f"allow tcp 2222 {ANY} in_eth1", "allow tcp 2222 192.0.2.5 any 0.0.0.0/0 in", f"deny tcp 2222 {ANY} in_eth0"],
)
def test_a_rule_for_ssh_by_another_interface_or_address_than_the_one_that_we_came_by(rule: str) -> None:
    came = Wanted(node=[4011], ssh=[2222], source="198.51.100.9", came=2222, interface="eth0", to="192.0.2.1")
    (problem,) = present(filter_of(rule, f"deny tcp 2222 {ANY} in", active=False), came).problems
    assert "this SSH connection comes from 198.51.100.9 to 2222/tcp" in problem


def test_strangers_come_by_the_uplink() -> None:
    wanted = Wanted(node=[4011], uplinks={4: ("eth0", "192.0.2.1")})
    for rule in (f"deny tcp 4011 {ANY} in_eth0", "reject tcp 4011 192.0.2.1 any 0.0.0.0/0 in"):
        (problem,) = present(filter_of(rule), wanted).problems
        assert "the node needs 4011/tcp, and the rule `ufw" in problem
    assert present(filter_of(f"deny tcp 4011 {ANY} in_eth1"), wanted).commands == [opened(4011)]
    assert present(filter_of(f"allow tcp 4011 {ANY} in_eth0"), wanted).commands == []
    assert present(filter_of(f"deny any any {ANY} in_eth0"), wanted).commands == [["insert", "1", *opened(4011)]]


def test_a_workstation_that_is_reached_locally_gets_no_rule_for_ssh() -> None:
    assert present(filter_of(active=False), Wanted(node=[4011])).commands == [opened(4011), ON]


@pytest.mark.parametrize("action", ["deny", "reject", "limit"])
@pytest.mark.parametrize("protocol", ["tcp", "any"])
def test_a_rule_for_exactly_the_nodes_port_is_the_owners_word(action: str, protocol: str) -> None:
    plan = present(filter_of(f"{action} {protocol} 4011 {ANY} in", ipv6=True))
    shown = f"ufw {action} 4011" + ("/tcp" if protocol == "tcp" else "")
    assert len(plan.problems) == 1
    assert f"`{shown}` of this host" in plan.problems[0]
    assert f"ufw delete {shown.removeprefix('ufw ')}" in plan.problems[0]


@pytest.mark.parametrize(
    "rule", [f"reject tcp 4000:4100 {ANY} in", f"deny any any {ANY} in", f"limit tcp 80,4011 {ANY} in"]
)
def test_the_rule_goes_before_a_wider_one_that_would_win(rule: str) -> None:
    plan = present(filter_of(f"allow tcp 80 {ANY} in", rule, ipv6=True))
    assert plan.commands == [["insert", "2", *opened(4011)], ["insert", "5", *opened(4011, "::/0")]]
    assert plan.filter.access(4011).origin == plan.filter.access(4011, family=6).origin == "everywhere"
    assert [rule.number for rule in plan.filter.family(6)] == [1, 2, 3]


def test_the_rule_of_an_earlier_deploy_moves_before_a_wider_one_that_came_since() -> None:
    plan = present(filter_of(f"reject tcp 4000:4100 {ANY} in", f"allow tcp 4011 {ANY} in {OURS}"))
    assert plan.commands == [deleted(4011), ["insert", "1", *opened(4011)]]


def test_two_rules_of_the_owner_in_an_order_that_shuts_the_port_are_named() -> None:
    plan = present(filter_of(f"reject tcp 4000:4100 {ANY} in", f"allow tcp 4011 {ANY} in"))
    assert "ufw prepend allow 4011/tcp" in plan.problems[0]


def test_addresses_that_the_owner_blocks_stay_blocked() -> None:
    plan = present(filter_of("deny any any 0.0.0.0/0 any 203.0.113.66 in"))
    assert plan.commands == [opened(4011)]
    assert plan.filter.access(4011, source="203.0.113.66").origin == "nowhere"


def test_a_port_that_is_open_needs_no_rule_and_belongs_to_the_owner() -> None:
    found = filter_of(f"allow tcp 4000:4100 {ANY} in")
    plan = present(found)
    assert (plan.commands, plan.record["rules"]) == ([], [])
    assert plans.absent(found, plan.record).commands == []


def test_a_second_run_changes_nothing() -> None:
    first = present(filter_of(active=False, ipv6=True))
    second = present(first.filter, recorded=first.record)
    assert (second.commands, second.record) == ([], first.record)


def test_a_default_policy_that_refuses_is_left_as_it_is_and_one_that_allows_is_not() -> None:
    assert present(filter_of(policy="REJECT")).commands == [opened(4011)]
    plan = present(filter_of(policy="ACCEPT"))
    assert plan.commands == [opened(2222), opened(4011), ["default", "deny", "incoming"]]
    undone = plans.absent(plan.filter, plan.record)
    assert undone.commands == [["default", "allow", "incoming"], deleted(2222), deleted(4011)]
    assert undone.filter == filter_of(policy="ACCEPT")


def test_a_port_of_an_earlier_setting_is_shut_again_and_rules_of_others_are_kept() -> None:
    first = present(filter_of(f"allow tcp 80 {ANY} in"))
    plan = present(first.filter, Wanted(node=[5011]), first.record)
    assert plan.commands == [opened(5011), deleted(4011)]
    assert plan.record["rules"] == [{"family": 4, "port": 5011, "for": "node"}]
    assert {rule.ports for rule in plan.filter.rules} == {"80", "5011"}


def test_a_rule_that_somebody_has_replaced_since_is_theirs() -> None:
    first = present(filter_of())
    theirs = filter_of(f"allow tcp 4011 {ANY} in")
    plan = present(theirs, Wanted(node=[5011]), first.record)
    assert plan.commands == [opened(5011)]
    assert plans.absent(theirs, first.record).commands == []


def test_an_uninstall_takes_back_what_deploy_added_though_others_have_added_and_removed_rules() -> None:
    first = present(filter_of(f"allow tcp 80 {ANY} in", active=False))
    meanwhile = kaspa_ufw.parse(
        True,
        'DEFAULT_INPUT_POLICY="DROP"\n',
        f"### tuple ### allow tcp 443 {ANY} in\n### tuple ### allow tcp 4011 {ANY} in {OURS}\n"
        f"### tuple ### deny tcp 4012 {ANY} in\n",
        "",
    )
    plan = plans.absent(meanwhile, first.record)
    assert plan.commands == [["--force", "disable"], deleted(4011)]
    assert [rule.text() for rule in plan.filter.rules] == ["ufw allow 443/tcp", "ufw deny 4012/tcp"]
    assert plan.notes
    assert "2 rules of others stay" in plan.notes[0]


def test_a_filter_whose_rules_somebody_has_flushed_is_on_by_the_owners_word() -> None:
    flushed = kaspa_ufw.parse(False, "", f"### tuple ### allow tcp 2222 {ANY} in\n", "", "ENABLED=yes\n")
    plan = present(flushed)
    assert (plan.commands, plan.record["active"]) == ([opened(4011), ON], True)
    assert plans.absent(plan.filter, plan.record).commands == [deleted(4011)]


def test_a_filter_that_the_owner_has_switched_off_since_stays_off() -> None:
    record = {"active": True, "incoming": "deny", "rules": [{"family": 4, "port": 4011, "for": "node"}]}
    plan = plans.absent(filter_of(f"allow tcp 4011 {ANY} in {OURS}", active=False), record)
    assert plan.commands == [deleted(4011)]


def test_without_a_record_nothing_is_taken_back() -> None:
    assert plans.absent(filter_of(f"allow tcp 4011 {ANY} in {OURS}"), {}).commands == []


def test_the_record_of_an_earlier_release_is_understood() -> None:
    record = {"active": False, "incoming": "deny", "ports": [22, 4011]}
    found = filter_of(f"allow tcp 22 {ANY} in {OURS}", f"allow tcp 4011 {ANY} in {OURS}", ipv6=True)
    assert plans.absent(found, record).commands == [
        ["--force", "disable"],
        deleted(22),
        deleted(22, "::/0"),
        deleted(4011),
        deleted(4011, "::/0"),
    ]
    moved = present(found, Wanted(node=[5011], ssh=[22]), record)
    assert moved.commands == [opened(5011), opened(5011, "::/0"), deleted(4011), deleted(4011, "::/0")]


KEEPING = Wanted(node=[4011], ssh=[2222], kept=[(80, "tcp"), (51820, "udp")], forwarding=True)


def test_what_the_owner_keeps_gets_in_and_is_forwarded_until_it_is_not_wanted_any_more() -> None:
    plan = present(filter_of(active=False), KEEPING)
    udp = ["allow", "to", "0.0.0.0/0", "port", "51820", "proto", "udp", "comment", "kaspa-node"]
    assert plan.commands == [opened(2222), opened(4011), opened(80), udp, ["default", "allow", "routed"], ON]
    assert present(plan.filter, KEEPING, plan.record).commands == []
    later = present(plan.filter, WANTED, plan.record)
    assert later.commands == [deleted(80), ["--force", "delete", *udp[:-2]], ["default", "deny", "routed"]]
    assert "routed" not in later.record
    gone = plans.absent(plan.filter, plan.record)
    assert gone.filter == filter_of(active=False)


def test_the_owners_word_on_what_is_kept_is_not_overruled() -> None:
    assert present(filter_of(f"deny tcp 80 {ANY} in", f"allow udp 51820 {ANY} in_eth1"), KEEPING).commands == [
        opened(4011),
        ["default", "allow", "routed"],
    ]
