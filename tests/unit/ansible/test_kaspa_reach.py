"""What a failed connection to a relay's port says about filters."""

from __future__ import annotations

import errno
import socket

import kaspa_reach
import pytest


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "open"),
        (TimeoutError("timed out"), "silent"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "rejected"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "unknown"),
    ],
)
def test_the_end_of_a_try(error: OSError | None, outcome: str) -> None:
    assert kaspa_reach.outcome(error) == outcome


@pytest.mark.parametrize(
    ("outcome", "opened", "said"),
    [
        ("silent", True, "open 5011/tcp inbound at the provider of relay"),
        ("silent", False, "open 5011/tcp in the firewall of relay and in that of its provider"),
        ("rejected", True, "most likely it is another filter of relay itself"),
        ("refused", True, "either the node does not listen there"),
        ("unknown", True, "correct its kaspa_relay_address"),
    ],
)
def test_the_filter_that_most_likely_blocks_is_named(outcome: str, opened: bool, said: str) -> None:
    message = kaspa_reach.problem(outcome, "relay", "192.0.2.1", 5011, opened)
    assert message.startswith("relay can't be reached from here at 192.0.2.1:5011 (")
    assert said in message
    assert "\n" not in message
