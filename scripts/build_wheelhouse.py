"""Builds the wheelhouse that deploy pushes to hosts: everything that kaspa_node needs there, without a download.

    python3 scripts/build_wheelhouse.py --python-tag cp311 --out .cache/wheels/cp311-x86_64

The directory then holds one wheel for every pin of requirements/runtime.txt, kaspa_node's own, pip's own, `hosts.txt`
with the SHA-256 of each wheel for `pip install --no-index --require-hashes --find-links DIR -r DIR/hosts.txt`, and
`manifest.json`. The last line printed says `built` or `unchanged`. Exit code 2: it can't be built, and why.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
from pathlib import Path

import wheelhouse
from commands import Problem
from interpreters import OWN_TAG
from progress import Progress


def _python_tag(text: str) -> str:
    if not re.fullmatch(r"cp3\d{1,2}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no CPython tag such as cp311")
    return text


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the wheels that hosts install from.")
    parser.add_argument("--python-tag", type=_python_tag, default=OWN_TAG, help="the hosts' Python (%(default)s)")
    parser.add_argument(
        "--arch", choices=wheelhouse.ARCHITECTURES, default=platform.machine(), help="the hosts' machine (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="directory to fill (.cache/wheels/TAG-ARCH)")
    parser.add_argument("--python", type=Path, help="a Python of that tag, to build C extensions with")
    parser.add_argument(
        "--allow-sources",
        action="store_true",
        help="if there is no such Python, put sources into the directory for the host to build; needs gcc there",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    target = wheelhouse.Target(arguments.python_tag, arguments.arch)
    out = (arguments.out or wheelhouse.default_place(target)).resolve()
    progress = Progress()
    try:
        with progress.heartbeat():
            built = wheelhouse.build(target, out, progress, arguments.python, allow_sources=arguments.allow_sources)
    except Problem as problem:
        print(f"{problem.output}wheelhouse {target}: {problem}", file=sys.stderr)
        return 2
    print(f"wheelhouse {target}: {'built' if built else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
