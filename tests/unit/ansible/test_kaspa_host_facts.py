from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_host_facts
import pytest


def test_facts_of_an_earlier_deploy_by_the_name_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "kaspa_node.fact").write_text('{"peer_id": "12D3"}')
    (tmp_path / "kaspa_firewall.fact").write_text("damaged")
    (tmp_path / "others.fact").write_text("{}")
    found = kaspa_host_facts.recorded(str(tmp_path))
    assert found == {"kaspa_firewall": {}, "kaspa_node": {"peer_id": "12D3"}}
    assert kaspa_host_facts.recorded(str(tmp_path / "missing")) == {}


def test_a_key_file_has_a_stamp_and_another_in_its_place_another(tmp_path: Path) -> None:
    key = tmp_path / "identity.key"
    assert kaspa_host_facts.stamp(str(key)) == "none"
    key.write_text("a key")
    assert kaspa_host_facts.stamp(str(key)) == f"{key.stat().st_ino}-{int(key.stat().st_mtime)}"


def test_packages_that_dpkg_lists_as_installed_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "installed python3\nconfig-files ufw\n"
    monkeypatch.setattr(kaspa_host_facts, "output", lambda argv: listing)
    assert kaspa_host_facts.missing_packages(["python3", "ufw", "libgmp10"]) == ["ufw", "libgmp10"]


def test_all_facts_of_this_machine_can_be_had(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "packages": [],
        "venv": str(tmp_path / "venv"),
        "facts": str(tmp_path),
        "key": str(tmp_path / "key"),
    }
    wanted |= {"names": ["localhost", "relay.invalid"], "user": "root", "asked": 1.0}
    facts = kaspa_host_facts.gather(wanted)
    assert facts["venv"] == ""
    assert "127.0.0.1" in facts["resolved"]["localhost"]
    assert facts["resolved"]["relay.invalid"] == []
    assert facts["free"] > 0
    assert (facts["user_home"], facts["login_free"] > 0) == ("/root", True)
    assert facts["python_tag"].startswith("cp3")
    (tmp_path / "venv").mkdir()
    assert kaspa_host_facts.gather(wanted)["venv"] == "not a link"


def test_the_home_of_a_user_that_does_not_exist() -> None:
    assert kaspa_host_facts.home("nobody-of-that-name") == ""


def test_the_user_that_ansible_logged_in_as_before_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "admin")
    assert kaspa_host_facts.login() == "admin"
