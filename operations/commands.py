"""Commands in advice, as the user must type them: with the inventory that this call was given."""

from __future__ import annotations

import re
import shlex

_TASKS = "status|logs|start|stop|restart|dial|capture|doctor|rotate-key|backup-keys|restore-keys"
_COMMAND = re.compile(rf"\b(?P<fab>fab (?:{_TASKS}))\b|\b(?P<play>ansible-playbook)(?= [\w/]+\.yml)")


def with_inventory(text: str, source: str | None) -> str:
    """The text with `-i SOURCE` in each command of ours.

    source: as it was typed; None if it was not typed. Then the same command finds the same inventory again.
    """
    if source is None:
        return text
    option = f" -i {shlex.quote(source)}"
    return _COMMAND.sub(lambda match: f"{match['fab'] or match['play']}{option}", text)
