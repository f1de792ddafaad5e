"""Places: shares of each address, and who is displaced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.admission import Places, neighbourhood

FLOOD, OTHER, THIRD = "203.0.113.66", "203.0.113.7", "2001:db8::7"


def test_there_is_room_until_all_places_are_taken() -> None:
    places: Places[str] = Places(most=3, each=2)
    assert [places.take(name, ip) for name, ip in (("a", FLOOD), ("b", FLOOD), ("c", OTHER))] == [None, None, None]
    assert len(places) == 3


def test_an_address_with_its_share_displaces_its_own_oldest() -> None:
    places: Places[str] = Places(most=10, each=2)
    for name in ("a", "b"):
        places.take(name, FLOOD)
    assert [places.take(name, FLOOD) for name in ("c", "d")] == ["a", "b"]
    assert places.take("z", OTHER) is None


def test_a_full_house_displaces_the_oldest_of_whoever_has_the_most() -> None:
    places: Places[str] = Places(most=3, each=3)
    for name, ip in (("z", OTHER), ("a", FLOOD), ("b", FLOOD)):
        places.take(name, ip)
    assert places.take("y", THIRD) == "a"
    assert "z" in places


def test_of_addresses_with_equally_many_the_first_one_gives_way() -> None:
    places: Places[str] = Places(most=2, each=2)
    places.take("a", OTHER)
    places.take("b", FLOOD)
    assert places.take("c", THIRD) == "a"


def test_a_place_that_was_given_back_is_free() -> None:
    places: Places[str] = Places(most=1, each=1)
    places.take("a", OTHER)
    places.leave("a")
    places.leave("a")
    assert places.take("b", FLOOD) is None
    assert "a" not in places


def test_a_network_of_ipv6_is_one_address() -> None:
    assert neighbourhood("2001:db8:1:2::1") == neighbourhood("2001:db8:1:2:ffff::9") != neighbourhood("2001:db8:1:3::1")
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2")
    assert neighbourhood("10.0.0.1") != neighbourhood("10.0.0.2")


@given(
    st.integers(1, 12),
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from([FLOOD, OTHER, THIRD]), st.booleans()), max_size=80),
)
def test_bounds_hold_and_a_flood_displaces_nobody_with_less(
    most: int, each: int, steps: list[tuple[str, bool]]
) -> None:
    places: Places[int] = Places(most, each)
    held: dict[int, str] = {}
    for number, (ip, leaves) in enumerate(steps):
        if leaves and held:
            gone = next(iter(held))
            places.leave(gone)
            del held[gone]
        counts = {address: list(held.values()).count(address) for address in (FLOOD, OTHER, THIRD)}
        displaced = places.take(number, ip)
        if displaced is not None:
            assert counts[held[displaced]] == max(counts.values()) or held[displaced] == ip
            assert displaced == min(n for n in held if held[n] == held[displaced])
            del held[displaced]
        held[number] = ip
        assert len(places) == len(held) <= most
        assert list(held.values()).count(ip) <= each
