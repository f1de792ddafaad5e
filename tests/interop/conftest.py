"""Prints the tables of docs/interop.md at the end of a run that was asked to make them, and writes them there."""

from __future__ import annotations

import pytest

from tests.interop import extent, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if extent.TABLE is None:
        return
    terminalreporter.write_line(f"{table.cells(extent.MIB)}\n\n{table.limits()}\n")
    left_out = len(extent.CELLS) - len(table.ROWS) + len(extent.LIMITED) - len(table.LIMITS)
    if left_out:
        terminalreporter.write_line(f"{extent.TABLE} is left as it is: {left_out} of its rows are missing")
        return
    table.write(extent.TABLE, "cells", table.cells(extent.MIB))
    table.write(extent.TABLE, "limits", table.limits())
