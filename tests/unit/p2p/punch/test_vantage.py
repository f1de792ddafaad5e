"""From which port a punch goes, and what the remote is told to dial."""

from __future__ import annotations

from kaspa_node.p2p.addresses import Mapping, SocketAddress
from kaspa_node.p2p.punch.vantage import Vantage

LISTENING = [SocketAddress("0.0.0.0", 4012)]
OBSERVED = Mapping(4012, SocketAddress("203.0.113.20", 61000))
ELSEWHERE = Mapping(38807, SocketAddress("203.0.113.20", 38807))
ANNOUNCED = SocketAddress("198.51.100.7", 4012)
GUESS = SocketAddress("203.0.113.20", 4012)


def test_the_listening_port_as_seen_then_as_announced_then_as_guessed() -> None:
    assert Vantage.best([OBSERVED, OBSERVED], [ANNOUNCED], LISTENING) == Vantage([OBSERVED.seen_at, ANNOUNCED, GUESS])


def test_a_port_that_the_nat_keeps_is_named_once() -> None:
    assert Vantage.best([Mapping(4012, GUESS)], [], LISTENING) == Vantage([GUESS])


def test_one_relay_that_sees_the_listening_port_is_enough() -> None:
    assert Vantage.best([ELSEWHERE, OBSERVED], [], LISTENING) == Vantage([OBSERVED.seen_at, GUESS])


def test_another_port_where_no_relay_sees_that_one_and_nobody_has_announced_it() -> None:
    assert Vantage.best([ELSEWHERE], [], LISTENING) == Vantage([ELSEWHERE.seen_at], ELSEWHERE.port)
    assert Vantage.best([ELSEWHERE], [ANNOUNCED], LISTENING) == Vantage([ANNOUNCED])


def test_without_a_relay_there_is_nothing_to_tell() -> None:
    assert Vantage.best([], [], LISTENING) == Vantage([])
