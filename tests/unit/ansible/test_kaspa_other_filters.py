"""What other filters than ufw refuse; `filters/` holds what iptables-save and nft print."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import (
    Filters,
    Refusal,
    iptables_refusal,
    nft_refusals,
)

HERE = Path(__file__).parent / "filters"
ORACLE = (HERE / "oracle").read_text()
NFT = (HERE / "nft.json").read_text()
REJECT = "-A INPUT -j REJECT --reject-with icmp-host-prohibited"


def test_an_image_whose_last_rule_rejects() -> None:
    assert Filters({4: ORACLE}).refusals(4011, ufw=True) == [Refusal("iptables", REJECT)]
    assert Filters({4: ORACLE}).refusals(22, ufw=True) == []
    assert Filters({4: ORACLE}).refusals(22, "udp", ufw=True) == [Refusal("iptables", REJECT)]


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
        (['INPUT -p tcp -m comment --comment "a comment -j ACCEPT" -j DROP'], 0),
        ([SYN], 0),
        (["INPUT -j mine", "mine -p tcp -m tcp --dport 4011 -j ACCEPT", "INPUT -j DROP"], None),
        (["INPUT -j mine", "mine -j RETURN", "mine -j ACCEPT", "INPUT -j DROP"], 3),
        (["INPUT -j LOG", "INPUT -j DROP"], 1),
        (["INPUT -j mine", "mine -j mine", "INPUT -j DROP"], 2),
        (["INPUT -j REJECT", *UFW], 0),
        # From its own chains on ufw decides, and its rules are read elsewhere.
        ([*UFW, "INPUT -j REJECT"], None),
    ],
)
def test_the_first_rule_for_everybody_decides(lines: list[str], refused: int | None) -> None:
    expected = "" if refused is None else f"-A {lines[refused]}"
    assert iptables_refusal(saved(*lines, policy="ACCEPT"), 4011, "tcp", ufw=True) == expected


def test_a_policy_refuses_unless_it_is_ufws() -> None:
    assert iptables_refusal("", 4011, "tcp", ufw=False) == ""
    assert iptables_refusal(saved(policy="DROP"), 4011, "tcp", ufw=False) == "policy of INPUT"
    assert iptables_refusal(saved(*UFW, policy="DROP"), 4011, "tcp", ufw=True) == ""


def test_a_ufw_that_is_off_leaves_its_chains_behind_and_decides_nothing() -> None:
    left = saved(*UFW, "INPUT -j REJECT", policy="ACCEPT")
    assert iptables_refusal(left, 4011, "tcp", ufw=False) == "-A INPUT -j REJECT"
    assert iptables_refusal(left, 4011, "tcp", ufw=True) == ""


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
    assert {each.filter for each in nft_refusals(NFT, port, "tcp")} == refused
    assert list(nft_refusals("", port, "tcp")) == []
