"""Advice names the inventory that was typed; otherwise its commands would go to the hosts of another one."""

from __future__ import annotations

import io

import pytest

from operations.commands import with_inventory
from operations.problems import OperationProblem
from operations.report import Report


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fab start --host a", "fab start -i ../my/hosts.yml --host a"),
        ("Deploy: ansible-playbook deploy.yml.", "Deploy: ansible-playbook -i ../my/hosts.yml deploy.yml."),
        (
            "see fab logs; else: fab restore-keys.",
            "see fab logs -i ../my/hosts.yml; else: fab restore-keys -i ../my/hosts.yml.",
        ),
        (
            "ansible-playbook --inventory ../my/hosts.yml deploy.yml",
            "ansible-playbook --inventory ../my/hosts.yml deploy.yml",
        ),
        ("run deploy.yml when it is back", "run deploy.yml when it is back"),
    ],
)
def test_each_command_gets_the_inventory(text: str, shown: str) -> None:
    assert with_inventory(text, ["../my/hosts.yml"]) == shown
    assert with_inventory(text, []) == text
    assert with_inventory("fab status", ["a", "b"]) == "fab status -i a -i b"


def test_an_odd_path_is_quoted_for_the_shell() -> None:
    assert with_inventory("fab status", ["my hosts/a'b"]) == "fab status -i 'my hosts/a'\"'\"'b'"


def test_problems_are_shown_with_it() -> None:
    err = io.StringIO()
    Report("status", sources=["elsewhere"], err=err).problem(OperationProblem("is inactive: fab start --host a", "a"))
    assert err.getvalue() == "a: is inactive: fab start -i elsewhere --host a\n"
