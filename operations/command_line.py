"""What Fabric's command line lacks for our tasks: words that may be left out, and exit code 2 for bad input."""

from __future__ import annotations

from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine

from kaspa_node.errors import EXIT_BAD_INPUT
from operations.operation import Word

_complete_context = ParseMachine.complete_context
_see_positional_arg = ParseMachine.see_positional_arg


def install() -> None:
    """Change invoke's parser. Its machine can't be subclassed: it finds its states on its own class alone."""
    for method in (complete_context, see_positional_arg, error):
        setattr(ParseMachine, method.__name__, method)


def complete_context(machine: ParseMachine) -> None:
    """Fill in the words that were left out, before invoke misses them; with --help it may miss none."""
    for argument in machine.context.positional_args if machine.context else ():
        if argument.value is None and (isinstance(argument, Word) or _asked_for_help(machine)):
            argument.set_value("", cast=False)
    _complete_context(machine)


def see_positional_arg(machine: ParseMachine, value: str) -> None:
    """Take no option for a word; invoke would, where a word is still missing."""
    if not value.startswith("-"):
        _see_positional_arg(machine, value)
    elif value not in machine.initial.flags:
        machine.error(f"No idea what {value!r} is!")
    elif machine.initial.flags[value].name == "help":
        machine.initial.flags[value].value = machine.context.name
    else:
        machine.switch_to_flag(value)


def error(machine: ParseMachine, msg: str) -> None:
    """Bad input, in one line; invoke would leave with 1."""
    raise Exit(f"fab: {msg.rstrip('!')}; see fab --list, fab --help TASK", EXIT_BAD_INPUT)


def _asked_for_help(machine: ParseMachine) -> bool:
    return bool(machine.initial and "help" in machine.initial.args and machine.initial.args["help"].value)
