"""Both formats of apt's sources, and which of them make up the distribution."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import aptsources
from lab.aptsources import Distribution, Source
from lab.errors import LabError

BOOKWORM = Distribution("debian", "bookworm")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_one_line_format() -> None:
    text = """
    # deb http://mirror.example/old bookworm main
    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib  # ours
    deb-src http://mirror.example/debian bookworm main
    deb http://mirror.example/debian bookworm-updates main
    """
    assert list(aptsources.parse_one_line(text)) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib"), "/k.gpg"),
        Source("http://mirror.example/debian", "bookworm-updates", ("main",)),
    ]


def test_deb822_format() -> None:
    text = f"""Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
 http://second.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {KEYRING}

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
"""
    found = list(aptsources.parse_deb822(text))
    assert [(each.uri, each.suite) for each in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://second.example/debian", "bookworm"),
        ("http://second.example/debian", "bookworm-updates"),
    ]
    assert {each.signed_by for each in found} == {KEYRING}


def test_a_key_inside_a_sources_file_stays_as_text() -> None:
    text = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
"""
    (found,) = aptsources.parse_deb822(text)
    assert found.signed_by == ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----")


def test_every_file_of_the_machine_is_read_and_nothing_else(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (parts / "b.list").write_text("deb http://b.example/debian bookworm main\n")
    (parts / "c.sources").write_text("Types: deb\nURIs: http://c.example/debian\nSuites: bookworm\nComponents: main\n")
    (parts / "d.list.disabled").write_text("deb http://d.example/debian bookworm main\n")
    assert [each.uri for each in aptsources.read(tmp_path)] == [f"http://{x}.example/debian" for x in "abc"]


def test_a_machine_without_sources_has_none(tmp_path: Path) -> None:
    assert aptsources.read(tmp_path) == []


def test_third_parties_are_left_out_and_the_main_suite_comes_first() -> None:
    security = Source("http://mirror.example/debian-security", "bookworm-security", ("main",))
    main = Source("http://mirror.example/debian", "bookworm", ("main",))
    third = Source("http://tools.example/apt", "stable", ("main",))
    vendor = Source("http://vendor.example/apt", "bookworm", ("vendor",))
    assert aptsources.of_distribution([third, security, vendor, main, main], BOOKWORM) == [main, security]


def test_a_machine_without_the_main_suite_is_told_so() -> None:
    with pytest.raises(LabError, match="offers debian bookworm main"):
        aptsources.of_distribution([Source("http://m.example", "bookworm-updates", ("main",))], BOOKWORM)


def test_the_distribution_is_read(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nVERSION_CODENAME="noble"\n')
    assert Distribution.read(file) == Distribution("ubuntu", "noble")


@pytest.mark.parametrize("text", ["ID=fedora\nVERSION_CODENAME=\n", "", "ID=debian\n"])
def test_another_system_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "os-release"
    file.write_text(text)
    with pytest.raises(LabError, match="built from Debian's or Ubuntu's packages"):
        Distribution.read(file)


def test_a_source_as_one_line() -> None:
    source = Source("http://m.example/debian", "bookworm", ("main", "contrib"), KEYRING)
    assert source.line() == f"deb [signed-by={KEYRING}] http://m.example/debian bookworm main contrib"
    assert source.line("/other.gpg").startswith("deb [signed-by=/other.gpg] ")
    assert Source("http://m.example", "x", ("main",)).line() == "deb http://m.example x main"


def test_another_suite_comes_from_the_same_archives() -> None:
    own = [Source("http://mirror.example/debian", suite, ("main",)) for suite in ("bookworm", "bookworm-security")]
    assert [source.suite for source in aptsources.of_suite(own, BOOKWORM, "trixie")] == ["trixie", "trixie-security"]
    assert {source.uri for source in aptsources.of_suite(own, BOOKWORM, "trixie")} == {"http://mirror.example/debian"}


@pytest.mark.parametrize("suite", ["../x", "13", "Trixie", "trixie sid"])
def test_a_suite_is_a_code_name(suite: str) -> None:
    with pytest.raises(LabError, match="is no code name of a debian release, such as bookworm"):
        aptsources.of_suite([], BOOKWORM, suite)
