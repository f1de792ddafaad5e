"""What Fabric's command line lacks for our tasks: words that may be left out, and exit code 2 for bad input."""

from __future__ import annotations

from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine

from kaspa_node.errors import EXIT_BAD_INPUT
from operations.operation import Word

_complete_context = ParseMachine.complete_context
_handle = ParseMachine.handle
_HELP = ("--help", "-h")


def install() -> None:
    """Change invoke's parser. Its machine can't be subclassed: it finds its states on its own class alone."""
    setattr(ParseMachine, complete_context.__name__, complete_context)
    setattr(ParseMachine, error.__name__, error)
    setattr(ParseMachine, handle.__name__, handle)


def handle(machine: ParseMachine, token: str) -> None:
    """Take no option for a word: invoke takes whatever it does not know, --help too, as long as words are missing."""
    context = machine.context
    known = context is None or token in context.flags or token in context.inverse_flags
    if token.startswith("-") and not known and not machine.waiting_for_flag_value:
        for argument in context.missing_positional_args:
            if not isinstance(argument, Word) and token not in _HELP:
                machine.error(f"No idea what {token!r} is!")
            argument.set_value("", cast=False)
    _handle(machine, token)


def complete_context(machine: ParseMachine) -> None:
    """Fill in the words that were left out, before invoke misses them."""
    for argument in machine.context.positional_args if machine.context else ():
        if isinstance(argument, Word) and argument.value is None:
            argument.set_value("", cast=False)
    _complete_context(machine)


def error(machine: ParseMachine, msg: str) -> None:
    """Bad input, in one line; invoke would leave with 1."""
    raise Exit(f"fab: {msg.rstrip('!')}; see fab --list, fab --help TASK", EXIT_BAD_INPUT)
