"""What other filters than ufw refuse; `filters/` holds what iptables-save and nft print."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import (
    Filters,
    Packet,
    Refusal,
    iptables_refusal,
    nft_refusals,
)

HERE = Path(__file__).parent / "filters"
ORACLE = (HERE / "oracle").read_text()
NFT = (HERE / "nft.json").read_text()
MORE = (HERE / "more.json").read_text()
FIREWALLD = (HERE / "firewalld.json").read_text()
NODE = Packet(4011, uplinks=("eth0",))
REJECT = "-A INPUT -j REJECT --reject-with icmp-host-prohibited"


def test_an_image_whose_last_rule_rejects() -> None:
    assert Filters({4: ORACLE}).refusals(4011, ufw=True) == [Refusal("iptables", REJECT)]
    assert Filters({4: ORACLE}).refusals(22, ufw=True) == []
    assert Filters({4: ORACLE}).refusals(22, "udp", ufw=True) == [Refusal("iptables", REJECT)]


def shown(*addresses: tuple[str, str]) -> str:
    """As `ip -o address` prints interfaces and their addresses."""
    return "".join(
        f"2: {interface}    inet{'6' if ':' in address else ''} {address}/{64 if ':' in address else 24} scope global\n"
        for interface, address in addresses
    )


@pytest.mark.parametrize(
    ("addresses", "uplink"),
    [
        ([], ("eth0", "")),
        ([("eth0", "192.0.2.7"), ("eth0", "2001:db8::7"), ("docker0", "172.17.0.1")], ("eth0", "192.0.2.7")),
        ([("eth0", "192.0.2.7"), ("eth0", "192.0.2.8")], ("eth0", "")),
    ],
)
def test_the_interface_and_the_address_that_strangers_come_to(
    addresses: list[tuple[str, str]], uplink: tuple[str, str]
) -> None:
    assert Filters(routes={4: FOUR}, addresses=shown(*addresses)).uplink(4) == uplink
    several = f"{FOUR}\ndefault via 198.51.100.1 dev eth1 metric 200"
    assert Filters(routes={4: several}, addresses=shown(*addresses)).uplink(4) == ("", "")


FOUR, SIX = "default via 192.0.2.1 dev eth0", "default via fe80::1 dev eth0 proto ra"


@pytest.mark.parametrize(
    ("routes", "addresses", "families"),
    [
        ({}, [], (4,)),
        ({4: FOUR}, ["192.0.2.7"], (4,)),
        ({4: FOUR, 6: SIX}, ["192.0.2.7", "2001:db8::7"], (4, 6)),
        # Its router announces itself and no prefix.
        ({4: FOUR, 6: SIX}, ["192.0.2.7"], (4,)),
        # An address of a VPN or of a home network.
        ({4: FOUR, 6: SIX}, ["192.0.2.7", "fd7a:115c:a1e0::1"], (4,)),
        ({4: FOUR, 6: ""}, ["192.0.2.7", "2001:db8::7"], (4,)),
        # Of IPv4 it has the containers' network only.
        ({4: "", 6: SIX}, ["172.17.0.1", "2001:db8::7"], (6,)),
    ],
)
def test_strangers_come_by_ip_versions_with_an_address_and_a_default_route(
    routes: dict[int, str], addresses: list[str], families: tuple[int, ...]
) -> None:
    filters = Filters(routes=routes, addresses=shown(*(("eth0", each) for each in addresses)))
    assert filters.families() == filters.families(["0.0.0.0", "::"]) == families
    assert filters.families(["0.0.0.0"]) == ((6,) if families == (6,) else (4,))


def test_each_ip_version_is_judged() -> None:
    both = {"routes": {4: FOUR, 6: SIX}, "addresses": shown(("eth0", "192.0.2.7"), ("eth0", "2001:db8::7"))}
    assert Filters({6: ORACLE}, **both).refusals(4011, ufw=True) == [Refusal("ip6tables", REJECT, (6,))]
    assert Filters({6: ORACLE}, **both).refusals(4011, ufw=True, listening=["0.0.0.0"]) == []
    assert Filters({4: ORACLE, 6: ORACLE}, **both).refusals(4011, ufw=True) == [
        Refusal("iptables", REJECT, (4,)),
        Refusal("ip6tables", REJECT, (6,)),
    ]
    (refusal,) = Filters(nft=FIREWALLD, **both).refusals(4011, ufw=False)
    assert refusal.families == (4, 6)


def saved(*lines: str, policy: str) -> str:
    chains = {line.split()[0] for line in lines} - {"INPUT"}
    head = [f":INPUT {policy} [0:0]", *(f":{chain} - [0:0]" for chain in chains)]
    return "\n".join(["*filter", *head, *(f"-A {line}" for line in lines), "COMMIT"])


UFW = ("INPUT -j ufw-before-input", "ufw-before-input -j DROP")
SYN = "INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ([], None),
        (["INPUT -p tcp -m tcp --dport 4000:4100 -j DROP"], 0),
        (["INPUT -p tcp -m multiport --dports 80,4011 -j DROP"], 0),
        (["INPUT -p udp -m udp --dport 4011 -j DROP"], None),
        (["INPUT -s 192.0.2.0/24 -j DROP"], None),
        (["INPUT -i eth1 -j DROP"], None),
        (["INPUT -m conntrack --ctstate INVALID -j DROP"], None),
        (["INPUT ! -p tcp -j DROP"], None),
        (["INPUT -i eth0 -p tcp -m tcp --dport 4011 -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -i eth+ -p tcp -m tcp --dport 4011 -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -i wg+ -j ACCEPT", "INPUT -i lo -j ACCEPT", "INPUT -i eth0 -j DROP"], 2),
        (["INPUT -s 10.0.0.0/8 -j ACCEPT", "INPUT -j DROP"], 1),
        (["INPUT ! -s 10.0.0.0/8 -j DROP"], 0),
        (["INPUT ! -i lo -p tcp -m tcp ! --dport 22 -j DROP"], 0),
        (["INPUT -p tcp -m conntrack ! --ctstate NEW -j DROP"], None),
        (["INPUT -m conntrack --ctstate ESTABLISHED,DNAT -j ACCEPT", "INPUT -j DROP"], 1),
        # Whether such a rule accepts the packet can't be known here, so no refusal after it is certain.
        (["INPUT -d 192.0.2.9/32 -p tcp -m tcp --dport 4011 -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -p tcp -m set --match-set ports dst -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -p tcp -m tcp --dport 4011 -m limit --limit 9/sec -j mine", "mine -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -m limit --limit 9/sec -j DROP"], None),
        (["INPUT -m limit --limit 9/sec -j RETURN", "INPUT -j DROP"], None),
        (['INPUT -m comment --comment "-j ACCEPT" -j DROP'], 0),
        (["INPUT -p tcp -m tcp --tcp-flags RST RST -j DROP"], None),
        (['INPUT -p tcp -m comment --comment "a comment -j ACCEPT" -j DROP'], 0),
        ([SYN], 0),
        (["INPUT -j mine", "mine -p tcp -m tcp --dport 4011 -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -j mine", "mine -j RETURN", "mine -j ACCEPT", "INPUT -j DROP"], 3),
        (["INPUT -j LOG", "INPUT -j DROP"], 1),
        (["INPUT -j mine", "mine -j mine", "INPUT -j DROP"], 2),
        (["INPUT -p tcp -g mine", "mine -p udp -j DROP", "INPUT -j REJECT"], None),
        (["INPUT -p tcp -g mine", "mine -p tcp -j DROP", "INPUT -j REJECT"], 1),
        (["INPUT -j REJECT", *UFW], 0),
        # From its own chains on ufw decides, and its rules are read elsewhere.
        ([*UFW, "INPUT -j REJECT"], None),
    ],
)
def test_the_first_rule_for_everybody_decides(lines: list[str], refused: int | None) -> None:
    expected = "" if refused is None else f"-A {lines[refused]}"
    assert iptables_refusal(saved(*lines, policy="ACCEPT"), NODE, ufw=True) == expected


def test_a_policy_refuses_unless_it_is_ufws() -> None:
    assert iptables_refusal("", NODE, ufw=False) == ""
    assert iptables_refusal(saved(policy="DROP"), NODE, ufw=False) == "policy of INPUT"
    assert iptables_refusal(saved(*UFW, policy="DROP"), NODE, ufw=True) == ""


def test_a_ufw_that_is_off_leaves_its_chains_behind_and_decides_nothing() -> None:
    left = saved(*UFW, "INPUT -j REJECT", policy="ACCEPT")
    assert iptables_refusal(left, NODE, ufw=False) == "-A INPUT -j REJECT"
    assert iptables_refusal(left, NODE, ufw=True) == ""


@pytest.mark.parametrize(
    ("port", "refused"),
    [
        (4011, {"the nftables table inet filter", "the nftables table ip closed"}),
        (22, set()),
        (8050, {"the nftables table ip closed"}),
        (4012, {"the nftables table ip closed"}),
        (4013, {"the nftables table ip closed"}),
    ],
)
def test_tables_of_nftables(port: int, refused: set[str]) -> None:
    assert {each.filter for each in nft_refusals(NFT, Packet(port))} == refused
    assert list(nft_refusals("", Packet(port))) == []


def refused(printed: str, packet: Packet) -> set[str]:
    return {each.filter.rpartition(" ")[2] for each in nft_refusals(printed, packet)}


@pytest.mark.parametrize(
    ("packet", "tables"),
    [
        # Opened by a named set, and by a map of verdicts with a rate.
        (NODE, {"strict", "meters"}),
        (Packet(4011, uplinks=("wg0",)), {"vm", "strict"}),
        (Packet(22, uplinks=("eth0",)), set()),
        (Packet(80, uplinks=("eth0",)), {"filter", "vm"}),
        (Packet(4012, uplinks=("eth0",)), {"filter", "vm", "strict"}),
        (Packet(4012, "udp", uplinks=("eth0",)), {"filter", "vm"}),
        (Packet(4012, family=6, uplinks=("eth0",)), {"filter", "vm"}),
    ],
)
def test_sets_maps_interfaces_and_families_of_nftables(packet: Packet, tables: set[str]) -> None:
    assert refused(MORE, packet) == tables


@pytest.mark.parametrize(("port", "shut"), [(22, False), (4012, False), (4013, True), (4011, True)])
def test_firewalld_says_by_its_table_what_its_zones_let_in(port: int, shut: bool) -> None:
    for family in (4, 6):
        assert refused(FIREWALLD, Packet(port, family=family, uplinks=("eth0",))) == ({"firewalld"} if shut else set())
