"""Where the lines go that people read, and that no callback of Ansible prints."""

from __future__ import annotations

from ansible import constants
from ansible.utils.display import Display

_FOR_PEOPLE = frozenset({"default", "ansible.builtin.default"})


def aside() -> bool:
    """Whether they go to standard error, because another callback than Ansible's default, such as json, is used."""
    return constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") not in _FOR_PEOPLE


def show(text: str, *, color: str | None = None) -> None:
    """Show one line or many."""
    Display().display(text, color=color, stderr=aside())
