"""Which addresses a public host can move to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import booted, public
from lab.paths import Paths
from lab.state import State
from lab.topology import SPARE


@pytest.mark.parametrize("address", ["203.0.113.12", "203.0.113.10", SPARE.address])
def test_a_free_address_or_its_own_can_be_had(address: str) -> None:
    assert public.free_address(State("/base"), "relay", address) == address


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("moon", "'moon' is not an IPv4 address"),
        ("2001:db8::1", "'2001:db8::1' is not an IPv4 address"),
        ("10.1.0.9", "10.1.0.9 is not an address of the public segment, 203.0.113.0/24"),
        ("203.0.113.255", "203.0.113.255 is not an address of the public segment, 203.0.113.0/24"),
        ("203.0.113.1", "203.0.113.1 is taken by the gateway"),
        ("203.0.113.80", "203.0.113.80 is taken by the package forwarder"),
        ("203.0.113.20", "203.0.113.20 is taken by nat-client"),
        (SPARE.address, "203.0.113.11 is taken by relay2"),
    ],
)
def test_any_other_is_refused_with_the_reason(address: str, problem: str) -> None:
    state = State("/base")
    state.addresses[SPARE.name] = SPARE.address
    with pytest.raises(ValueError, match=f"^{problem}$"):
        public.free_address(state, "relay", address)


def test_a_host_behind_a_nat_stays_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    owner = tmp_path / "owner.json"
    owner.write_text(json.dumps({"checkout": str(tmp_path)}))
    monkeypatch.setattr(booted, "OWNER", owner)
    State("/base").write(Paths(tmp_path))
    with pytest.raises(ValueError, match="^client is behind a NAT; only public hosts move: relay$"):
        public.move(Paths(tmp_path), "client", "203.0.113.12")
