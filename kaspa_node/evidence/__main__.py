"""`python -m kaspa_node.evidence`: judge a run, or render the documents from the tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kaspa_node.evidence import documents, table
from kaspa_node.evidence.bundle import EXPECTATIONS, BundleError
from kaspa_node.evidence.output import judge_directory
from kaspa_node.evidence.verdict import EXIT_UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kaspa_node.evidence", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    judge = commands.add_parser("judge", help="judge evidence/<run> and write the reports into it")
    judge.add_argument("directory", type=Path, metavar="DIR", help="a run directory, with raw/ in it")
    judge.add_argument("--expect", choices=EXPECTATIONS, help="instead of the expect_path in run.json")
    commands.add_parser("verdicts-doc", help="print docs/verdicts.md")
    commands.add_parser("milestones-doc", help="print docs/milestones.md")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 the verdict is as expected, 1 FAIL, 3 relayed but direct was expected, 2 unusable evidence."""
    options = _parser().parse_args(arguments)
    if options.command == "verdicts-doc":
        sys.stdout.write(documents.verdicts())
        return 0
    if options.command == "milestones-doc":
        sys.stdout.write(documents.milestones())
        return 0
    try:
        report = judge_directory(options.directory, options.expect)
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNUSABLE
    sys.stdout.write(table.render(report, str(options.directory / "report.md")))
    return int(report["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
