"""The base's recipe decides its name; what is built is cleaned of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import base
from lab.aptsources import Distribution, Source
from lab.base import Recipe
from lab.errors import LabError

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----"
SOURCE = Source("http://mirror.example/debian", "bookworm", ("main",))
RECIPE = Recipe(Distribution("debian", "bookworm"), (SOURCE,), ('Acquire::Check-Date "false";',), ())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """mmdebstrap makes an empty tree here; the command lines that it was called with."""
    called: list[list[str]] = []

    def bootstrap(argv: list[str]) -> None:
        called.append(argv)
        root = next(Path(word) for word in argv if word.endswith(".partial"))
        for name in ("etc/apt/sources.list.d", "etc/systemd/system", "var/log", "root"):
            (root / name).mkdir(parents=True)
        (root / "etc/hostname").write_text("this-machine\n")
        (root / "etc/apt/sources.list.d/0000.list").write_text("deb http://unreachable.example x main\n")

    monkeypatch.setattr(base, "_run_with_progress", bootstrap)
    monkeypatch.setattr(Recipe, "of_this_machine", lambda suite: RECIPE)
    monkeypatch.setattr(base.Distribution, "read", lambda: RECIPE.distribution)
    return called


def test_the_same_recipe_has_the_same_name() -> None:
    assert RECIPE.digest == replace(RECIPE).digest
    assert len(RECIPE.digest) == 16


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, packages=("systemd",)),
        replace(RECIPE, certificates=(("ours.crt", "…"),)),
        replace(RECIPE, sources=(replace(SOURCE, uri="http://second.example"),)),
        replace(RECIPE, version=0),
    ],
)
def test_another_recipe_has_another_name(other: Recipe) -> None:
    assert other.digest != RECIPE.digest


def test_a_base_is_built_once(machine: list[list[str]], tmp_path: Path) -> None:
    bases = tmp_path / "lab-base"
    first = base.ensure(bases)
    assert base.ensure(bases) == first == bases / RECIPE.digest
    assert len(machine) == 1


def test_each_suite_has_its_own_bases(machine: list[list[str]], tmp_path: Path) -> None:
    bases = tmp_path / "lab-base"
    assert base.ensure(bases, "trixie") == tmp_path / "lab-base-trixie" / RECIPE.digest
    assert base.ensure(bases, "bookworm") == base.ensure(bases) == bases / RECIPE.digest
    assert len(machine) == 2


def test_the_recipe_of_another_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.Distribution, "read", lambda: RECIPE.distribution)
    monkeypatch.setattr(base.aptsources, "read", lambda: [SOURCE])
    monkeypatch.setattr(base, "run", lambda argv: "")
    recipe = Recipe.of_this_machine("trixie")
    assert recipe.distribution == Distribution("debian", "trixie")
    assert recipe.sources == (replace(SOURCE, suite="trixie"),)
    assert Recipe.of_this_machine().distribution == RECIPE.distribution


def test_a_base_knows_nothing_of_this_machine(machine: list[list[str]], tmp_path: Path) -> None:
    root = base.ensure(tmp_path / "lab-base")
    assert (root / "etc/machine-id").read_text() == ""
    assert not (root / "etc/hostname").exists()
    assert (root / "etc/resolv.conf").read_text() == "nameserver 127.0.0.1\n"
    assert (root / "etc/apt/sources.list").read_text() == "deb http://mirror.example/debian bookworm main\n"
    assert list((root / "etc/apt/sources.list.d").iterdir()) == []
    assert (root / "etc/systemd/system/apt-daily.timer").readlink() == Path("/dev/null")
    assert "/etc/ssl/certs/ca-certificates.crt" in (root / "etc/pip.conf").read_text()


def test_mmdebstrap_gets_the_machines_own_sources_and_settings(machine: list[list[str]], tmp_path: Path) -> None:
    base.ensure(tmp_path / "lab-base")
    (argv,) = machine
    assert argv[-1] == "deb http://mirror.example/debian bookworm main"
    assert '--aptopt=Acquire::Check-Date "false";' in argv
    assert any("ufw" in word and "python3-venv" in word for word in argv if word.startswith("--include="))


def test_a_key_inside_a_sources_file_goes_along(
    machine: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, sources=(replace(SOURCE, signed_by=KEY),))
    monkeypatch.setattr(Recipe, "of_this_machine", lambda suite: recipe)
    monkeypatch.setattr(base, "_keyring", lambda source, directory: _write(directory / "key.asc", source.signed_by))
    root = base.ensure(tmp_path / "lab-base")
    assert (root / "etc/apt/keyrings/key.asc").read_text() == KEY
    assert "[signed-by=/etc/apt/keyrings/key.asc]" in (root / "etc/apt/sources.list").read_text()


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_failed_build_leaves_nothing(tmp_path: Path, machine: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str]) -> None:
        next(Path(word) for word in argv if word.endswith(".partial")).mkdir()
        raise LabError("mmdebstrap failed: no such suite")

    monkeypatch.setattr(base, "_run_with_progress", fail)
    with pytest.raises(LabError, match="no such suite"):
        base.ensure(tmp_path / "lab-base")
    assert list((tmp_path / "lab-base").iterdir()) == []


def test_older_bases_go(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name / "etc").mkdir(parents=True)
    (tmp_path / "key.asc").touch()
    base.prune(tmp_path / "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_a_failure_of_mmdebstrap_is_told_in_its_own_words() -> None:
    script = "echo 'I: running'; echo 'E: no space left'; echo 'I: cleaning up'; exit 1"
    with pytest.raises(LabError, match="^mmdebstrap failed: E: no space left$"):
        base._run_with_progress(["sh", "-c", script])


def test_a_missing_program_is_named() -> None:
    with pytest.raises(LabError, match="apt-get install no-such-program"):
        base._run_with_progress(["no-such-program"])
