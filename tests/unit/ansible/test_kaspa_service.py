from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_service
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import (
    Mark,
    ProcessService,
    SystemdService,
)


@pytest.fixture
def service(tmp_path: Path) -> ProcessService:
    return ProcessService("kaspa-peer", str(tmp_path))


def test_a_process_that_was_never_started_is_not_active(service: ProcessService) -> None:
    assert service.state().as_dict() == {"name": "kaspa-peer", "active": False, "pid": 0, "invocation": ""}


def test_a_process_is_known_by_its_id_and_its_birth(service: ProcessService) -> None:
    pid, born = os.getpid(), kaspa_service.born(os.getpid())
    service.write_record({"pid": pid, "born": born})
    assert service.state().as_dict() == {
        "name": "kaspa-peer",
        "active": True,
        "pid": pid,
        "invocation": f"{pid}-{born}",
    }


def test_another_process_with_the_same_id_does_not_count(service: ProcessService) -> None:
    service.write_record({"pid": os.getpid(), "born": (kaspa_service.born(os.getpid()) or 0) + 1})
    assert not service.state().active


@pytest.mark.parametrize("damaged", ["", "{", "[]", "null"])
def test_a_damaged_record_is_none(tmp_path: Path, service: ProcessService, damaged: str) -> None:
    (tmp_path / "kaspa-peer.json").write_text(damaged)
    assert service.record() == {}
    assert not service.state().active


def test_the_log_since_a_mark(service: ProcessService) -> None:
    assert service.mark() == Mark("", 0)
    service.log.write_text("before\n")
    mark = service.mark()
    with service.log.open("a") as log:
        log.write("after\n")
    assert service.log_since(mark) == "after\n"
    assert service.last_lines(1) == ["after"]


def test_a_log_that_became_shorter_is_read_from_its_start(service: ProcessService) -> None:
    service.log.write_text("a long line of the time before\n")
    mark = service.mark()
    service.log.write_text("anew\n")
    assert service.log_since(mark) == "anew\n"


def test_a_unit_is_asked_for_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "systemctl": "MainPID=77\nActiveState=active\nInvocationID=abc\n",
        "journalctl": '{"__CURSOR": "s=1;i=2", "_PID": "42"}\n',
    }
    monkeypatch.setattr(kaspa_service, "command", lambda argv: answers[argv[0]])
    unit = SystemdService("kaspa-relay")
    assert unit.state().as_dict() == {"name": "kaspa-relay", "active": True, "pid": 77, "invocation": "abc"}
    assert unit.mark() == Mark("s=1;i=2", 0)


def test_the_mark_is_a_line_of_the_unit_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(kaspa_service, "command", lambda argv: asked.append(list(argv)) or "")
    assert SystemdService("kaspa-relay").mark() == Mark("", 0)
    assert "kaspa-relay.service" in asked[0]


def test_the_journal_is_read_after_the_cursor_and_of_the_unit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(kaspa_service, "command", lambda argv: asked.append(list(argv)) or "")
    SystemdService("kaspa-relay").log_since(Mark("s=1", 0))
    assert asked[0][-2:] == ["--after-cursor", "s=1"]
    assert "kaspa-relay.service" in asked[0]


def test_of_a_native_program_only_its_own_lines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(kaspa_service, "command", lambda argv: asked.append(argv) or "")
    kaspa_service.NativeService("kaspa-native-client").log_since(kaspa_service.Mark("s=1", 0))
    assert asked[0][-3:] == ["_SYSTEMD_UNIT=kaspa-native-client.service", "--after-cursor", "s=1"]
    assert "--unit" not in asked[0]


def test_a_command_that_fails_says_which_and_why() -> None:
    with pytest.raises(OSError, match=r"`sh -c echo no >&2; exit 3` failed \(3\): no"):
        kaspa_service.command(["sh", "-c", "echo no >&2; exit 3"])


def test_programs_that_a_login_of_a_user_does_not_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "chroot" in kaspa_service.command(["chroot", "--version"])
