from __future__ import annotations

import sys

import pytest

from commands import Problem, run


def test_output_is_returned_and_told_line_by_line() -> None:
    lines: list[str] = []
    program = "import sys; print('one', flush=True); print('two', file=sys.stderr)"
    assert run([sys.executable, "-c", program], on_line=lines.append) == "one\ntwo\n"
    assert lines == ["one", "two"]


def test_a_failure_keeps_the_last_lines_of_output() -> None:
    with pytest.raises(Problem) as failed:
        run(
            [sys.executable, "-c", "[print(n) for n in range(100)]; raise SystemExit(3)"],
            what="it broke",
            remedy="mend it",
        )
    assert str(failed.value) == "it broke; mend it"
    assert failed.value.output.splitlines()[-1] == "99"
    assert len(failed.value.output.splitlines()) == 30


def test_a_program_that_is_missing_is_a_problem() -> None:
    with pytest.raises(Problem, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_program_gets_no_input_and_the_added_environment() -> None:
    program = "import os, sys; print(repr(sys.stdin.read()), os.environ['ADDED'])"
    assert run([sys.executable, "-c", program], env={"ADDED": "yes"}) == "'' yes\n"
