from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import interop_peers
from commands import Problem
from interop_peers import Language


def nothing(_language: Language) -> None:
    return


def failing(_language: Language) -> None:
    raise Problem("it does not work", output="the tool's own words\n")


@pytest.fixture
def language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Language:
    """A language whose tool is there, with one source file; the only one that the script knows."""
    monkeypatch.setattr(interop_peers, "SOURCES", tmp_path / "sources")
    monkeypatch.setattr(interop_peers, "PLACE", tmp_path / "place")
    (tmp_path / "sources" / "some").mkdir(parents=True)
    (tmp_path / "sources" / "some" / "main.x").write_text("1")
    made = Language("some", ("sh",), nothing, nothing, ("some",))
    monkeypatch.setattr(interop_peers, "LANGUAGES", {"some": made})
    return made


def known_as(monkeypatch: pytest.MonkeyPatch, language: Language) -> None:
    monkeypatch.setattr(interop_peers, "LANGUAGES", {language.name: language})


def test_it_is_built_once_for_each_state_of_its_sources(language: Language, capsys: pytest.CaptureFixture[str]) -> None:
    assert interop_peers.missing("some") == "the some peer is not built: python3 scripts/interop_peers.py some"
    assert interop_peers.main([]) == 0
    assert interop_peers.missing("some") is None
    capsys.readouterr()
    assert interop_peers.main(["some"]) == 0
    assert capsys.readouterr().out == "interop some: unchanged\n"
    (language.sources / "main.x").write_text("2")
    assert "built from other sources" in (interop_peers.missing("some") or "")


def test_a_missing_tool_leaves_it_out_in_one_line(
    language: Language, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known_as(monkeypatch, replace(language, tools=("sh", "no-such-tool")))
    assert interop_peers.main([]) == 0
    assert capsys.readouterr().out == "interop some: left out, no-such-tool is not installed\n"
    assert interop_peers.missing("some") == "the some peer is not built: no-such-tool is not installed"


@pytest.mark.parametrize(
    ("fetch", "build", "words", "status", "told"),
    [
        (failing, nothing, [], 1, "the packages of the some peer can't be fetched"),
        (failing, nothing, ["--if-possible"], 0, "interop some: left out, the packages of the some peer"),
        (nothing, failing, [], 1, "it does not work"),
        (nothing, failing, ["--if-possible"], 1, "it does not work"),
    ],
)
def test_what_fails_is_told(
    language: Language,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fetch: Callable[[Language], None],
    build: Callable[[Language], None],
    words: list[str],
    status: int,
    told: str,
) -> None:
    known_as(monkeypatch, replace(language, fetch=fetch, build=build))
    assert interop_peers.main(words) == status
    said = capsys.readouterr()
    assert told in said.out + said.err
    assert ("the tool's own words" in said.err) == (status == 1)
    assert interop_peers.missing("some") is not None


def test_an_unknown_language_is_refused(language: Language) -> None:
    with pytest.raises(SystemExit):
        interop_peers.main(["cobol"])
