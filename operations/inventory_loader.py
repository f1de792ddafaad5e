"""Reads an inventory with Ansible's own library, which is imported only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from operations.inventory import CHECKOUT, Inventory


def load(*sources: str) -> Inventory:
    """Read an inventory, of one or more sources: paths, or hosts with commas. None: ansible.cfg's.

    Raises UsageProblem.
    """
    # Ansible's import takes longer than everything else that a task does before it connects to a host.
    with _configured():
        from operations import ansible_inventory

    return ansible_inventory.read(sources)


@contextmanager
def _configured() -> Iterator[None]:
    """Ansible, if it is imported in the block, reads the checkout's configuration, unless the user names another.

    Ansible looks for it in the current directory, but a task may start in a subdirectory. The variable is removed at
    the end of the block, because this process may run playbooks of another checkout later.
    """
    if "ANSIBLE_CONFIG" in os.environ:
        yield
        return
    os.environ["ANSIBLE_CONFIG"] = str(CHECKOUT / "ansible.cfg")
    try:
        yield
    finally:
        del os.environ["ANSIBLE_CONFIG"]
