"""All configurations that are compared."""

from __future__ import annotations

from tests.ssh import rows_become, rows_config, rows_inventory, rows_jumps, rows_keys, rows_known_hosts
from tests.ssh.row import Row

ROWS: tuple[Row, ...] = (
    *rows_inventory.ROWS,
    *rows_config.ROWS,
    *rows_jumps.ROWS,
    *rows_known_hosts.ROWS,
    *rows_keys.ROWS,
    *rows_become.ROWS,
)
