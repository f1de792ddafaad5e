"""A failed program is one line that says what failed."""

from __future__ import annotations

import pytest

from lab.command import environment, last_line, run, succeeds
from lab.errors import LabError, MissingPackages


def test_output_comes_back() -> None:
    assert run(["cat"], stdin="hello") == "hello"


def test_a_failure_says_status_and_last_line() -> None:
    with pytest.raises(LabError, match=r"^`sh -c .*` failed \(3\): that was it$"):
        run(["sh", "-c", "echo first >&2; echo that was it >&2; echo >&2; exit 3"])


def test_a_failure_that_does_not_matter() -> None:
    assert run(["sh", "-c", "echo x; exit 3"], check=False) == "x\n"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(LabError, match="^no-such-program is not installed$"):
        run(["no-such-program"])


def test_nothing_runs_for_ever() -> None:
    with pytest.raises(LabError, match="took longer than 0 s"):
        run(["sleep", "60"], timeout=0.01)


def test_success_as_a_question() -> None:
    assert succeeds(["true"])
    assert not succeeds(["false"])
    assert not succeeds(["no-such-program"])


def test_programs_of_administration_are_found() -> None:
    assert environment()["PATH"].endswith(":/usr/sbin:/sbin")


def test_the_last_line_says_something() -> None:
    assert last_line("a\n b \n\n") == "b"
    assert last_line("") == "no message"


def test_missing_packages_are_named_with_the_command() -> None:
    error = MissingPackages(["conntrack", "mmdebstrap"])
    assert str(error) == "the lab needs Debian packages: apt-get install conntrack mmdebstrap"
    assert error.packages == ["conntrack", "mmdebstrap"]
