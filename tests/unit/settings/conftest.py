"""Peer ids and addresses that the tests of settings share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaspa_node.errors import ConfigError
from kaspa_node.settings import Settings, load_settings
from kaspa_node.settings.addresses import BadValue

RELAY_ID = "12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY"
SERVER_ID = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"
CLIENT_ID = "12D3KooWBzc9ttZ4a7Spx3HaMWaRgBHCLYNob1mcqqeM2hebRnDw"
RELAY = f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY_ID}"
RELAY_2 = f"/ip6/2001:db8::10/tcp/4011/p2p/{CLIENT_ID}"


def refusal(call: Callable[..., object], *args: object) -> BadValue | ConfigError | None:
    """The refusal of a call that may refuse; any other error propagates."""
    try:
        call(*args)
    except (BadValue, ConfigError) as error:
        return error
    return None


class Loader:
    """Loads settings from TOML text and variables, as a program would."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "peer.toml"

    def __call__(self, toml: str | None = None, role: str = "peer", **environ: str) -> Settings:
        if toml is None:
            return load_settings(role, None, environ)
        self.file.write_text(toml)
        return load_settings(role, self.file, environ)

    def refused(self, *args: Any, **kwargs: Any) -> ConfigError:
        """The error of a configuration that can't be used, which must be one line."""
        with pytest.raises(ConfigError) as caught:
            self(*args, **kwargs)
        assert str(caught.value).isprintable()
        assert caught.value.exit_code == 2
        return caught.value


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)
