"""How much the tests against other libp2ps do. `make test-interop` asks for all of it, other runs for little."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tests.interop.triples import OURS, Cell

RUNS = int(os.environ.get("INTEROP_RUNS", "2"))
MIB = int(os.environ.get("INTEROP_MIB", "8"))
TABLE = Path(os.environ["INTEROP_TABLE"]) if "INTEROP_TABLE" in os.environ else None

ALL_CELLS = os.environ.get("INTEROP_CELLS") == "all"

KINDS = (OURS, "go", "rust")
# All combinations that hold one of ours, and what js-libp2p can do of it; else each other libp2p once in each role.
CELLS = (
    (*(Cell(*kinds) for kinds in itertools.product(KINDS, repeat=3) if OURS in kinds), Cell("js", OURS, OURS))
    if ALL_CELLS
    else (Cell("go", OURS, "rust"), Cell("rust", "go", OURS), Cell(OURS, "rust", "go"))
)
# Our client and our server on a limited relay of another libp2p, and others on our limited relay.
LIMITED = (
    Cell("go", OURS, OURS),
    Cell(OURS, OURS, "rust"),
    *(
        (Cell("rust", OURS, OURS), Cell(OURS, OURS, "go"), Cell(OURS, "go", OURS), Cell(OURS, "rust", OURS))
        if ALL_CELLS
        else ()
    ),
)
JS = (Cell(OURS, OURS, "js"), *((Cell(OURS, "js", OURS),) if ALL_CELLS else ()))
