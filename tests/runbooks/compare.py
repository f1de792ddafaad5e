"""What a command printed, held against what the page shows of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.runbooks.masks import masked, progress

ANY = "..."

_TASK = re.compile(r"PLAY \[|TASK \[|RUNNING HANDLER \[|(ok|changed|included|skipping): ")


def told(output: str) -> list[str]:
    """The lines that count: no empty ones, none that only tell progress."""
    return [line.rstrip() for line in output.splitlines() if line.strip() and not progress(line)]


def aligned(shown: Sequence[str], printed: Sequence[str]) -> list[str] | None:
    """The shown lines as they were printed this time, `...` kept; None where the page shows something else.

    Empty lines of the page stay, those of the output don't count.
    """
    wanted = [line for line in shown if line.strip()]
    ends = _matches(wanted, [masked(line) for line in printed])
    if ends is None:
        return None
    answers = iter(ends)
    result = []
    for line in shown:
        if not line.strip():
            result.append(line)
            continue
        number = next(answers)
        result.append(ANY if number is None else printed[number])
    return result


def shortened(lines: Sequence[str]) -> list[str]:
    """The lines with `...` for a playbook's tasks that did as they should."""
    found: list[str] = []
    for line in lines:
        if _TASK.match(line) is None:
            found.append(line)
        elif found[-1:] != [ANY]:
            found.append(ANY)
    return found


def _matches(wanted: Sequence[str], printed: Sequence[str]) -> list[int | None] | None:
    """For each wanted line the number of the printed one, None for `...`; None where there is no way to match."""
    # best[i][j]: whether the wanted lines from i on match the printed ones from j on.
    rows, columns = len(wanted), len(printed)
    best = [[False] * (columns + 1) for _ in range(rows + 1)]
    best[rows][columns] = True
    masks = [None if line.strip() == ANY else masked(line) for line in wanted]
    for i in range(rows - 1, -1, -1):
        for j in range(columns, -1, -1):
            if masks[i] is None:
                best[i][j] = best[i + 1][j] or (j < columns and best[i][j + 1])
            else:
                best[i][j] = j < columns and masks[i] == printed[j] and best[i + 1][j + 1]
    if not best[0][0]:
        return None
    found: list[int | None] = []
    j = 0
    for i in range(rows):
        if masks[i] is None:
            while not best[i + 1][j]:
                j += 1
            found.append(None)
        else:
            found.append(j)
            j += 1
    return found
