"""What Fabric's command line lacks for our tasks: optional words, and exit code 2 for bad input."""

from __future__ import annotations

from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine

from kaspa_node.errors import EXIT_BAD_INPUT
from operations.operation import Word

_complete_context = ParseMachine.complete_context
_see_positional_arg = ParseMachine.see_positional_arg


def install() -> None:
    """Change invoke's parser. Its machine can't be subclassed: it looks for its states in its own class only."""
    for method in (complete_context, see_positional_arg, error):
        setattr(ParseMachine, method.__name__, method)


def complete_context(machine: ParseMachine) -> None:
    """Add empty texts for words that were left out, because invoke would complain; with --help add all."""
    for argument in machine.context.positional_args if machine.context else ():
        if argument.value is None and (isinstance(argument, Word) or _asked_for_help(machine)):
            argument.set_value("", cast=False)
    _complete_context(machine)


def see_positional_arg(machine: ParseMachine, value: str) -> None:
    """Take no option as a word; invoke does so while a word is missing."""
    if not value.startswith("-"):
        _see_positional_arg(machine, value)
    elif value not in machine.initial.flags:
        machine.error(f"No idea what {value!r} is!")
    elif machine.initial.flags[value].name == "help":
        machine.initial.flags[value].value = machine.context.name
    else:
        machine.switch_to_flag(value)


def error(machine: ParseMachine, msg: str) -> None:
    """Bad input, in one line; invoke would exit with 1."""
    raise Exit(f"fab: {msg.rstrip('!')}; see fab --list, fab --help TASK", EXIT_BAD_INPUT)


def _asked_for_help(machine: ParseMachine) -> bool:
    return bool(machine.initial and "help" in machine.initial.args and machine.initial.args["help"].value)
