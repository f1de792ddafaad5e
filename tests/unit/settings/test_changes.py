"""Which settings differ, and which of them a running node takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaspa_node.settings import AllowList, Settings, definitions, load_settings
from kaspa_node.settings.changes import Changes, between
from tests.unit.settings.conftest import CLIENT_ID, RELAY, RELAY_2, SERVER_ID

LIVE = {
    "relay": {
        "announce",
        "allow",
        "log_level",
        "max_reservations",
        "reservation_ttl",
        "max_circuits",
        "max_circuits_per_peer",
        "circuit_duration",
        "circuit_bytes",
    },
    "peer": {
        "announce",
        "relays",
        "reserve",
        "remotes",
        "allow",
        "path_policy",
        "wait_for_direct",
        "log_level",
        "ping_interval",
    },
}


def peer(**variables: str) -> Settings:
    return load_settings("peer", None, {f"KASPA_NODE_{key.upper()}": value for key, value in variables.items()})


@pytest.mark.parametrize("role", LIVE)
def test_what_a_running_node_takes(role: str) -> None:
    assert {d.key for d in definitions() if role in d.roles and d.live} == LIVE[role]


def test_the_same_settings_do_not_differ() -> None:
    assert between(peer(relays=RELAY, allow=SERVER_ID), peer(relays=RELAY, allow=SERVER_ID)) == Changes()


def test_the_order_of_a_list_counts_only_where_it_means_something() -> None:
    assert between(peer(allow=f"{SERVER_ID},{CLIENT_ID}"), peer(allow=f"{CLIENT_ID},{SERVER_ID}")) == Changes()
    assert between(peer(relays=f"{RELAY},{RELAY_2}"), peer(relays=f"{RELAY_2},{RELAY}")).live == ("relays",)


def test_another_relay_is_another_way_to_the_remotes_that_have_none_of_their_own() -> None:
    remote = f"server={SERVER_ID}"
    assert between(peer(relays=RELAY, remotes=remote), peer(relays=RELAY_2, remotes=remote)) == Changes(
        live=("relays", "remotes")
    )


def test_both_kinds_are_told_apart() -> None:
    new = peer(network="simnet", path_policy="direct-only", listen="/ip4/127.0.0.1/tcp/4012", log_level="debug")
    assert between(peer(), new) == Changes(live=("path_policy", "log_level"), restart=("listen", "network"))


def test_a_setting_of_the_other_program_does_not_count() -> None:
    relay = Settings(role="relay", allow=AllowList(any=True))
    assert between(relay, Settings(role="relay", state_dir=Path("/srv"), network="simnet")) == Changes(
        live=("allow",), restart=("state_dir",)
    )
    with pytest.raises(ValueError, match="can't be compared"):
        between(relay, peer())
