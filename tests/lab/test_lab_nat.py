"""The booted lab's NATs and delay."""

from __future__ import annotations

import pytest

from lab import booted, ssh
from lab.lock import exclusive
from lab.namespaces import NamedNamespaces
from lab.paths import Paths
from lab.topology import host, router
from tests import nat_hosts
from tests.nat_hosts import Lab


@pytest.fixture(scope="module")
def lab() -> Lab:
    paths = Paths()
    with exclusive():
        booted.up(paths, fresh=True)
    return Lab(
        python=lambda name: ssh.command(paths, host(name), ["python3"]),
        namespaces=NamedNamespaces(),
        set_nat=lambda name, mode: booted.set_nat(paths, router(name), mode),
    )


@pytest.mark.parametrize("name", ["client", "server"])
def test_nothing_unsolicited_gets_in(lab: Lab, name: str) -> None:
    nat_hosts.check_nothing_unsolicited_gets_in(lab, name)


def test_simultaneous_open_crosses_both_nats(lab: Lab) -> None:
    nat_hosts.check_simultaneous_open(lab)


def test_each_mode_maps_ports_as_it_says(lab: Lab) -> None:
    nat_hosts.check_modes(lab)


def test_symmetric_nats_let_nobody_through(lab: Lab) -> None:
    nat_hosts.check_symmetric_nats_let_nobody_through(lab)


def test_public_addresses_are_fifty_milliseconds_apart(lab: Lab) -> None:
    nat_hosts.check_round_trips(lab, 50)
