"""Commands in advice, as the user must type them: with the inventory that this call was given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

_TASKS = "status|logs|start|stop|restart|dial|capture|doctor|rotate-key|backup-keys|restore-keys"
_COMMAND = re.compile(rf"\b(?P<fab>fab (?:{_TASKS}))\b|\b(?P<play>ansible-playbook)(?= [\w/]+\.yml)")


def with_inventory(text: str, sources: Sequence[str]) -> str:
    """The text with `-i SOURCE` for each source in each command of ours.

    sources: as they were typed. Without any, the same command finds the same inventory again.
    """
    options = "".join(f" -i {shlex.quote(source)}" for source in sources)
    return _COMMAND.sub(lambda match: f"{match['fab'] or match['play']}{options}", text)
