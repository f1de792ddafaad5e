"""Renders the table of settings in docs/configuration.md from their definition.

`python -m kaspa_node.settings.docs FILE` brings the table in that file up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kaspa_node.settings.model import DEFAULT_LISTEN, Definition, definitions
from kaspa_node.settings.values import AllowList

BEGIN = "<!-- settings: this table is rendered by `python -m kaspa_node.settings.docs` -->"
END = "<!-- settings end -->"


def table() -> str:
    """The table as markdown, a row for each setting."""
    head = [
        "| Key | Programs | Live | Default | Meaning | Value | First proof of concept |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_row, definitions())])


def updated(text: str) -> str:
    """A document with the table between its two marks replaced; raises ValueError where a mark is missing."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(definition: Definition) -> str:
    cells = (
        f"`{definition.key}`",
        ", ".join(definition.roles),
        "yes" if definition.live else "",
        _default(definition),
        definition.meaning,
        definition.kind.expected,
        "<br>".join(f"`{name}`" for name in definition.seed),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(definition: Definition) -> str:
    if definition.key == "listen":
        return "<br>".join(f'{role}: `["{address}"]`' for role, address in DEFAULT_LISTEN.items())
    value = definition.default
    if isinstance(value, AllowList | tuple):
        return "`[]`"
    if value is None:
        return "none"
    return f"`{json.dumps(value, default=str)}`"


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(updated(document.read_text()))
