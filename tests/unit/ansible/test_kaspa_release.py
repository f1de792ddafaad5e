"""Which release is in use, and what is kept beside the one before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import kaspa_release
import pytest


class Host:
    """A host's /opt, configuration and facts below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.link = root / "opt" / "kaspa-node"
        self.config = root / "peer.toml"
        self.config.write_text("release 0\n")
        self.config.chmod(0o640)
        self.link.parent.mkdir()

    def install(self, name: str) -> Path:
        release = self.link.with_name(f"kaspa-node-{name}")
        release.mkdir()
        (release / kaspa_release.COMPLETE).touch()
        return release

    def use(self, name: str, keep: int = 2) -> tuple[str, list[str]]:
        wanted = {"link": str(self.link), "release": str(self.link.with_name(f"kaspa-node-{name}")), "sources": name}
        wanted |= {"files": [str(self.config), str(self.root / "no.service")], "keep": keep}
        found: tuple[str, list[str]] = kaspa_release.use(wanted | {"facts": str(self.root / "facts")}, 12.5)
        return found

    @property
    def fact(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "facts" / "kaspa_release.fact").read_text())
        return found

    @property
    def releases(self) -> list[str]:
        return sorted(path.name for path in self.link.parent.iterdir() if not path.is_symlink())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_first_release_has_none_before(host: Host) -> None:
    release = host.install("a")
    assert host.use("a") == ("", [])
    assert os.readlink(host.link) == str(release)
    assert host.fact == {"release": str(release), "sources": "a", "installed": 12.5, "before": "", "before_sources": ""}


def test_what_the_release_before_ran_with_is_kept_beside_it(host: Host) -> None:
    before, _ = host.install("a"), host.use("a")
    host.install("b")
    assert host.use("b") == (str(before), [])
    kept = before / "kept" / "peer.toml"
    assert kept.read_text() == "release 0\n"
    assert kept.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (before / "kept").iterdir()] == ["peer.toml"]
    assert (host.fact["before"], host.fact["before_sources"]) == (str(before), "a")


def test_what_a_release_was_made_from_is_known_after_a_rollback_too(host: Host) -> None:
    for name in "ab":
        host.install(name)
        host.use(name)
    kaspa_release.change_link(host.link, host.link.with_name("kaspa-node-a"))
    host.install("c")
    host.use("c")
    assert (host.fact["sources"], host.fact["before_sources"]) == ("c", "a")


def test_what_is_kept_is_always_of_the_last_time(host: Host) -> None:
    for name in "ab":
        host.install(name)
        host.use(name)
    host.use("a")
    host.config.write_text("changed\n")
    host.use("b")
    assert (host.link.with_name("kaspa-node-a") / "kept" / "peer.toml").read_text() == "changed\n"


def test_the_release_before_stays_however_old_it_is(host: Host) -> None:
    for name in "ab":
        host.install(name)
        host.use(name)
    host.use("a")  # rolled back
    host.install("c")
    before, removed = host.use("c")
    assert before.endswith("-a")
    assert [Path(path).name for path in removed] == ["kaspa-node-b"]
    assert host.releases == ["kaspa-node-a", "kaspa-node-c"]


def test_more_releases_stay_where_more_are_wanted(host: Host) -> None:
    for name in "abc":
        host.install(name)
        host.use(name, keep=3)
    assert host.releases == ["kaspa-node-a", "kaspa-node-b", "kaspa-node-c"]


def test_a_link_to_a_release_that_is_gone_is_no_way_back(host: Host) -> None:
    host.install("a")
    host.link.symlink_to(host.link.with_name("kaspa-node-gone"))
    assert host.use("a") == ("", [])


def test_fewer_releases_than_may_stay(host: Host) -> None:
    for name in "abcd":
        host.install(name)
        host.use(name, keep=5)
    assert len(host.releases) == 4


def test_what_an_interrupted_installation_left_takes_no_release_s_place(host: Host) -> None:
    for name in "abc":
        host.install(name)
    host.link.with_name("kaspa-node-partial").mkdir()
    host.use("a", keep=3)
    assert host.releases == ["kaspa-node-a", "kaspa-node-b", "kaspa-node-c"]
