"""Reads an inventory with Ansible's own library, which is imported only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from operations.inventory import CHECKOUT, Inventory


def load(source: str | None = None) -> Inventory:
    """Read an inventory: a path, several with commas, or None for ansible.cfg's (or ANSIBLE_INVENTORY's).

    Raises UsageProblem.
    """
    # Ansible's import takes longer than everything else that a task does before it reaches a host.
    with _configured():
        from operations import ansible_inventory

    return ansible_inventory.read(source)


@contextmanager
def _configured() -> Iterator[None]:
    """Ansible, if it is imported in the block, reads the checkout's configuration, unless the user names another.

    It looks for it in the current directory, and a task may be started in one below. The variable goes with the block:
    the playbooks of another checkout, run by this process later, have a configuration of their own.
    """
    if "ANSIBLE_CONFIG" in os.environ:
        yield
        return
    os.environ["ANSIBLE_CONFIG"] = str(CHECKOUT / "ansible.cfg")
    try:
        yield
    finally:
        del os.environ["ANSIBLE_CONFIG"]
