from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

import build_wheelhouse
import interpreters
import locks
import wheelhouse
from commands import Problem
from progress import Progress

TARGET = wheelhouse.Target("cp311", "x86_64")


def quiet() -> Progress:
    return Progress(io.StringIO())


def finished(out: Path, **changes: object) -> None:
    """A directory that looks like a wheelhouse just built."""
    (out / "a-1-py3-none-any.whl").write_bytes(b"a")
    manifest = {
        "packages_key": locks.digest([locks.RUNTIME, locks.BOOTSTRAP], str(TARGET)),
        "project_key": wheelhouse.project_digest(),
        "project": "kaspa_node-0-py3-none-any.whl",
        "sources": [],
        "files": {"a-1-py3-none-any.whl": hashlib.sha256(b"a").hexdigest()},
        **changes,
    }
    (out / "manifest.json").write_text(json.dumps(manifest))


def test_a_target_names_the_platforms_that_its_hosts_accept() -> None:
    target = wheelhouse.Target("cp313", "aarch64")
    assert (str(target), target.version) == ("cp313-aarch64", "3.13")
    assert target.platforms[0] == "manylinux_2_36_aarch64"
    assert target.platforms[-1] == "manylinux2014_aarch64"


def test_what_has_no_wheel_is_pinned() -> None:
    assert {pin.name for pin in locks.read(locks.RUNTIME)} >= wheelhouse.COMPILED | wheelhouse.PURE


def test_a_complete_wheelhouse_is_left_alone(tmp_path: Path) -> None:
    finished(tmp_path)
    assert wheelhouse.build(TARGET, tmp_path, quiet()) is False
    assert (tmp_path / "a-1-py3-none-any.whl").read_bytes() == b"a"


@pytest.mark.parametrize(
    "changes", [{"packages_key": "old"}, {"files": {"gone.whl": "00"}}, {"sources": ["fastecdsa"]}]
)
def test_packages_are_made_anew_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    finished(tmp_path, **changes)
    asked: list[str] = []

    def builder(python_tag: str, arch: str, named: Path | None) -> None:
        asked.append(f"{python_tag}-{arch}")

    monkeypatch.setattr(interpreters, "builder", builder)
    with pytest.raises(Problem, match="fastecdsa"):
        wheelhouse.build(TARGET, tmp_path, quiet())
    assert asked == ["cp311-x86_64"]
    assert (tmp_path / "a-1-py3-none-any.whl").exists(), "what was there stays until the new one is complete"


@pytest.mark.parametrize("tag", ["cp27", "3.11", "cp311/..", "py3"])
def test_a_wrong_tag_is_bad_input(tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_wheelhouse.main(["--python-tag", tag])
    assert ended.value.code == 2
    assert "no CPython tag" in capsys.readouterr().err


def test_a_python_that_is_missing_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interpreters, "builder", lambda *_: None)
    assert build_wheelhouse.main(["--python-tag", "cp399", "--arch", "x86_64", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("wheelhouse cp399-x86_64: ")
    assert "python3.99-dev" in said
    assert "--allow-sources" in said


def test_a_named_python_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "tag_of", lambda python: "cp312")
    with pytest.raises(Problem, match="can't build for cp311-x86_64"):
        interpreters.builder("cp311", "x86_64", Path("python3.12"))


def test_other_machines_are_not_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters.platform, "machine", lambda: "x86_64")
    assert interpreters.builder("cp311", "aarch64", None) is None
