"""A node that stands still is restarted by systemd: the loop itself feeds the watchdog."""

from __future__ import annotations

import pytest

from lab.waiting import until
from tests.lab.scenes import UNITS, on

NODE = "/opt/kaspa-node/bin/kaspa-node"
DROP_IN = "/run/systemd/system/{unit}.service.d/watchdog.conf"
SECONDS = 6
"""Seconds of the watchdog here: the unit's own half a minute would only make the test longer."""

PATIENCE = 90.0


def shown(name: str, what: str) -> str:
    """A property of the node's unit."""
    return on(name, f"systemctl show --value -p {what} {UNITS[name]}")


def serves(name: str) -> bool:
    """Whether the node answers."""
    return on(name, f"timeout 5 {NODE} status --json >/dev/null 2>&1 && echo yes || echo no") == "yes"


def set_watchdog(name: str, seconds: int) -> None:
    """Restart a node with another time for its watchdog; 0: with that of its unit."""
    path = DROP_IN.format(unit=UNITS[name])
    write = f"mkdir -p $(dirname {path}); printf '[Service]\\nWatchdogSec={seconds}\\n' > {path}"
    on(name, f"{write if seconds else f'rm -f {path}'}; systemctl daemon-reload; systemctl restart {UNITS[name]}")


@pytest.mark.parametrize("name", ["relay", "client"])
def test_a_node_that_stands_still_is_restarted(deployed: None, name: str) -> None:
    assert shown(name, "Type") == "notify"
    assert shown(name, "WatchdogUSec") == "30s"
    set_watchdog(name, SECONDS)
    try:
        # Type=notify: the command returns when the node has said that it serves.
        assert serves(name)
        before = shown(name, "MainPID")
        on(name, f"kill -STOP {before}")
        assert until(lambda: shown(name, "MainPID") not in {before, "0"}, timeout=PATIENCE, pause=0.5)
        assert until(lambda: serves(name), timeout=PATIENCE, pause=0.5)
        log = on(name, f"journalctl -u {UNITS[name]} -n 400 -o cat --no-pager")
        assert "Watchdog timeout" in log
        assert int(shown(name, "NRestarts")) >= 1
        # A node that turns is left alone, for several times that long.
        alive = shown(name, "MainPID")
        assert not until(lambda: shown(name, "MainPID") != alive, timeout=3 * SECONDS, pause=1.0)
    finally:
        set_watchdog(name, 0)
    assert until(lambda: serves(name), timeout=PATIENCE, pause=0.5)
