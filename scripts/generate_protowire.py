#!/usr/bin/env python3
"""Make kaspa_node/kaspa/protowire/*_pb2.py and .pyi from the .proto files beside them.

    python scripts/generate_protowire.py [--output DIRECTORY]

Needs grpcio-tools. The files are written below DIRECTORY (default: this checkout) in the package's own layout.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("kaspa_node/kaspa/protowire")


def generate(output: Path) -> int:
    """Write the modules below `output`; the exit status of protoc."""
    from grpc_tools import protoc

    # Naming the schema by its path from the root of the checkout gives the generated modules absolute imports, and
    # keeps "p2p.proto" out of the process-wide descriptor pool, where another package may have a file of that name.
    files = [str(file.relative_to(ROOT)) for file in sorted((ROOT / PACKAGE).glob("*.proto"))]
    status: int = protoc.main(["protoc", f"-I{ROOT}", f"--python_out={output}", f"--pyi_out={output}", *files])
    return status


def main() -> int:
    """Entry point; exit status 2 when grpcio-tools is absent."""
    parser = argparse.ArgumentParser(description="Make the protobuf modules of kaspa_node.kaspa.protowire.")
    parser.add_argument("--output", type=Path, default=ROOT, help="write below this directory (default: the checkout)")
    arguments = parser.parse_args()
    if find_spec("grpc_tools") is None:
        print("generate_protowire: grpcio-tools is not installed; pip install grpcio-tools", file=sys.stderr)
        return 2
    return generate(arguments.output)


if __name__ == "__main__":
    sys.exit(main())
