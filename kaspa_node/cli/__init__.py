"""`kaspa-node`: commands, their errors as one line each, their exit codes.

0: success; 1: the request did not succeed; 2: bad input or configuration; 130: interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kaspa_node.cli.arguments import parse
from kaspa_node.cli.commands import COMMANDS
from kaspa_node.errors import EXIT_FAILED, EXIT_INTERRUPTED, KaspaNodeError, first_error

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argv: without the program's name, by default the process's."""
    arguments = parse(sys.argv[1:] if argv is None else argv)
    code = EXIT_FAILED
    # except*: trio's nurseries wrap a single error at the start in a group, too.
    try:
        code = COMMANDS[arguments.command](arguments, os.environ)
    except* KaspaNodeError as group:
        error = first_error(group)
        print(f"kaspa-node: {error}", file=sys.stderr)
        code = error.exit_code
    except* KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    return code
