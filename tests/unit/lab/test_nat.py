"""Each NAT mode as nft rules."""

from __future__ import annotations

import json

import pytest

from lab import nat
from lab.nat import COUNTERS, EIM_PORT, MODES, Counter, counters, rules
from lab.topology import ROUTERS, Router, router

CLIENT = router("client")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("each", ROUTERS, ids=lambda each: str(each.name))
def test_unsolicited_inbound_is_dropped_by_policy(each: Router, mode: str) -> None:
    text = rules(each, mode)
    assert "hook input priority filter; policy drop;" in text
    assert "hook forward priority filter; policy drop;" in text
    assert text.count("{") == text.count("}")


def test_every_counter_is_declared_and_used() -> None:
    text = rules(CLIENT, "plain")
    for name in COUNTERS:
        assert f"counter {name} {{ }}" in text
        assert f"counter name {name}" in text


def test_plain_keeps_ports_and_answers_nothing() -> None:
    text = rules(CLIENT, "plain")
    assert "random" not in text
    assert "snat" not in text.replace("priority srcnat", "")
    assert "reject" not in text


def test_symmetric_takes_random_ports() -> None:
    assert "masquerade fully-random" in rules(CLIENT, "symmetric")


def test_eim_maps_the_peers_port_to_one_other() -> None:
    assert f"tcp sport 4012 snat to {CLIENT.public}:{EIM_PORT}" in rules(CLIENT, "eim")


def test_rst_counts_what_it_refuses() -> None:
    assert "counter name in_drop reject with tcp reset" in rules(CLIENT, "rst")


def test_direct_traffic_is_counted_by_the_other_routers_address() -> None:
    assert f"ip daddr {{ {router('server').public} }} counter name direct_out" in rules(CLIENT, "plain")


def test_the_relays_traffic_is_counted_by_their_addresses() -> None:
    assert "elements = { 203.0.113.10 };" in rules(CLIENT, "plain")
    assert "elements = { 203.0.113.12, 203.0.113.11 };" in rules(CLIENT, "plain", ["203.0.113.12", "203.0.113.11"])


def test_an_unknown_mode_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no NAT mode 'cone'; there are plain, symmetric, eim, rst"):
        rules(CLIENT, "cone")


class Anywhere:
    def path(self, name: str) -> str:
        return f"/ns/{name}"

    def enter(self, name: str) -> list[str]:
        return ["in", name]


def test_counters_are_read_from_nfts_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = {
        "nftables": [{"metainfo": {}}, {"counter": {"name": "in_drop", "packets": 3, "bytes": 180, "handle": 1}}]
    }
    asked: list[list[str]] = []

    def run(argv: list[str]) -> str:
        asked.append(argv)
        return json.dumps(listing)

    monkeypatch.setattr(nat, "run", run)
    assert counters(Anywhere(), CLIENT) == {"in_drop": Counter(3, 180)}
    assert asked == [["in", "nat-client", "nft", "-j", "list", "counters"]]


@pytest.mark.parametrize(("size", "verb", "chain"), [(1300, "replace", True), (None, "delete", False)])
def test_a_narrow_router_forwards_no_large_packets_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, size: int | None, verb: str, chain: bool
) -> None:
    asked: list[tuple[list[str], str]] = []
    monkeypatch.setattr(nat, "run", lambda argv, stdin="": asked.append((argv[2:], stdin)))
    nat.narrow(Anywhere(), CLIENT, size)
    (route, _), (_, script) = asked
    assert route[:4] == ["ip", "route", verb, f"{router('server').public}/32"]
    assert route[-3:] == (["mtu", "lock", "1300"] if size else [f"{router('server').public}/32", "dev", "wan"])
    assert ("frag-needed drop" in script) == chain
