"""Problems are one line each, and know their exit code."""

from __future__ import annotations

import pytest

from operations.problems import HostProblem, Interrupted, MissingFile, OperationProblem, UsageProblem


def test_a_problem_names_its_host() -> None:
    assert str(HostProblem("no answer", "client")) == "client: no answer"
    assert str(UsageProblem("no inventory")) == "no inventory"


def test_a_problem_is_one_line() -> None:
    assert str(OperationProblem("first\nsecond\x1b[31m", "client")) == "client: first second [31m"


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OperationProblem("x"), 1),
        (UsageProblem("x"), 2),
        (HostProblem("x"), 2),
        (MissingFile("x"), 2),
        (Interrupted("client"), 2),
    ],
)
def test_exit_codes(problem: OperationProblem, code: int) -> None:
    assert problem.exit_code == code
