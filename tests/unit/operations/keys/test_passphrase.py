"""Where a passphrase comes from, and which ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.keys.passphrase import VARIABLE, passphrase
from operations.problems import UsageProblem


def asked(*answers: str) -> tuple[str, list[str]]:
    """The passphrase that somebody types, and what was asked."""
    left, questions = list(answers), []

    def ask(question: str) -> str:
        questions.append(question)
        return left.pop(0)

    return passphrase(None, new=True, environment={}, ask=ask, terminal=lambda: True), questions


def test_a_file_comes_before_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text("four words of mine\nnot this\n")
    assert passphrase(str(file), new=True, environment={VARIABLE: "other"}) == "four words of mine"


def test_the_variable_comes_before_the_terminal() -> None:
    assert passphrase(None, new=True, environment={VARIABLE: "four words of mine"}) == "four words of mine"


def test_a_new_one_is_typed_twice() -> None:
    assert asked("four words of mine", "four words of mine") == (
        "four words of mine",
        ["Passphrase of the backup: ", "Once more: "],
    )
    with pytest.raises(UsageProblem, match="two different passphrases"):
        asked("four words of mine", "for words of mine")


def test_a_known_one_is_typed_once() -> None:
    answers = iter(["short"])
    assert passphrase(None, new=False, environment={}, ask=lambda _: next(answers), terminal=lambda: True) == "short"


def test_a_short_new_one_is_refused() -> None:
    with pytest.raises(UsageProblem, match="has 5 characters; use at least 12"):
        passphrase(None, new=True, environment={VARIABLE: "12345"})


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_none(content: str, tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text(content)
    with pytest.raises(UsageProblem, match="the passphrase is empty"):
        passphrase(str(file), new=False, environment={})


def test_nobody_to_ask_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no passphrase: name a file"):
        passphrase(None, new=False, environment={}, terminal=lambda: False)
    with pytest.raises(UsageProblem, match="can't be read: no such file or directory"):
        passphrase(str(tmp_path / "none"), new=False, environment={})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageProblem, match="is not text"):
        passphrase(str(tmp_path / "binary"), new=False, environment={})


def test_an_end_of_input_is_no_passphrase() -> None:
    def ask(question: str) -> str:
        raise EOFError

    with pytest.raises(UsageProblem, match="no passphrase"):
        passphrase(None, new=False, environment={}, ask=ask, terminal=lambda: True)
