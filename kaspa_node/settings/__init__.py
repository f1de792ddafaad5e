"""Configuration: one class for relay and peer, from a TOML file and the environment."""

from __future__ import annotations

from kaspa_node.settings.loader import load_settings, load_state_dir
from kaspa_node.settings.model import Settings, definitions
from kaspa_node.settings.values import AllowList, LocalAddress, RelayAddress, Remote, TcpAddress

__all__ = [
    "AllowList",
    "LocalAddress",
    "RelayAddress",
    "Remote",
    "Settings",
    "TcpAddress",
    "definitions",
    "load_settings",
    "load_state_dir",
]
