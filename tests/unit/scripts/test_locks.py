from __future__ import annotations

from pathlib import Path

import pytest
from packaging.markers import Marker, default_environment

import locks

LOCKS = [locks.BOOTSTRAP, locks.RUNTIME, locks.CONTROLLER, locks.REQUIREMENTS / "lock.txt"]


def written(directory: Path, text: str) -> Path:
    file = directory / "some.txt"
    file.write_text(text)
    return file


def test_a_pin_is_its_name_version_and_whole_entry(tmp_path: Path) -> None:
    entry = "Some_Thing==1.2 ; python_version < '4' \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
    (pin,) = locks.read(written(tmp_path, f"# made by make lock\n{entry}    # via other\n"))
    assert (pin.name, pin.version, pin.entry) == ("some-thing", "1.2", entry)


@pytest.mark.parametrize("line", ["--index-url https://packages.example/simple", "thing>=1", "thing @ file:///x"])
def test_a_line_that_pins_nothing_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=r"some\.txt"):
        locks.read(written(tmp_path, line + "\n"))


def test_a_digest_tells_names_contents_and_texts_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("x")
    other.write_text("x")
    digests = {locks.digest([one]), locks.digest([other]), locks.digest([one], "x"), locks.digest([one, other])}
    assert len(digests) == 4


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_pin_has_a_hash(path: Path) -> None:
    pins = locks.read(path)
    assert pins
    assert [pin.name for pin in pins if "--hash=sha256:" not in pin.entry] == []


def test_the_controller_has_what_the_hosts_have() -> None:
    versions = {pin.name: pin.version for pin in locks.read(locks.CONTROLLER)}
    for pin in [*locks.read(locks.RUNTIME), *locks.read(locks.BOOTSTRAP)]:
        assert versions[pin.name] == pin.version, pin.name


def test_the_hosts_python_decides_nothing() -> None:
    """pip evaluates markers for the Python that runs it: what it downloads for another must not depend on them."""
    for pin in locks.read(locks.RUNTIME):
        _, found, marker = pin.entry.splitlines()[0].removesuffix("\\").partition(";")
        if found:
            assert {applies(marker, minor) for minor in (11, 12, 13)} == {True}, pin.entry.splitlines()[0]


def applies(marker: str, minor: int) -> bool:
    environment = {**default_environment(), "sys_platform": "linux", "os_name": "posix"}
    environment |= {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
    return Marker(marker.strip()).evaluate(environment)
