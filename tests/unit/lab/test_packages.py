"""The package hosts come from configuration, and from nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import packages
from lab.aptsources import Source
from lab.errors import LabError


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one apt source, and a pip with an index of its own."""
    monkeypatch.setattr(
        packages.aptsources, "read", lambda: [Source("http://apt.example/debian", "bookworm", ("main",))]
    )
    answers = {
        "-m": "global.index-url='https://user:secret@pip.example/simple'\n",
        "-c": "https://built-in.example/simple\n",
    }
    monkeypatch.setattr(packages, "run", lambda argv: answers[argv[1]])


def test_apt_and_pip(tmp_path: Path) -> None:
    assert packages.package_hosts({}, tmp_path) == {
        "apt.example": (80,),
        "built-in.example": (443,),
        "pip.example": (443,),
    }


def test_the_environment_counts_and_only_what_names_an_index(tmp_path: Path) -> None:
    environment = {
        "PIP_EXTRA_INDEX_URL": "https://more.example:8443/simple",
        "CARGO_REGISTRIES_OURS_INDEX": "sparse+https://crates.example/index/",
        "RUSTUP_DIST_SERVER": "https://rust.example",
        "PIP_FIND_LINKS": "/opt/wheels",
        "HOMEPAGE": "https://no.example",
    }
    found = packages.package_hosts(environment, tmp_path)
    assert found["more.example"] == (8443,)
    assert {"crates.example", "rust.example"} < set(found)
    assert "no.example" not in found


def test_cargos_configuration_counts(tmp_path: Path) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo/config.toml").write_text('[source.ours]\nregistry = "sparse+https://crates.example/index/"\n')
    assert packages.package_hosts({}, tmp_path)["crates.example"] == (443,)


def test_a_person_can_name_more(tmp_path: Path) -> None:
    found = packages.package_hosts({packages.EXTRA: "one.example, two.example;"}, tmp_path)
    assert found["one.example"] == found["two.example"] == (80, 443)


def test_a_machine_without_pip_has_apts_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str]) -> str:
        raise LabError("python3 -m pip failed")

    monkeypatch.setattr(packages, "run", run)
    assert packages.package_hosts({}, tmp_path) == {"apt.example": (80,)}
