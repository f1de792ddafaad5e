from __future__ import annotations

from pathlib import Path
from typing import Any

import kaspa_job
import pytest

RUNNING = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}
EXITED = {**RUNNING, "SubState": "exited"}
FAILED = {**RUNNING, "ActiveState": "failed", "SubState": "failed"}
NOTHING = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}


@pytest.mark.parametrize(
    ("properties", "state", "why"),
    [
        (RUNNING, "running", ""),
        ({**RUNNING, "ActiveState": "activating", "SubState": "start"}, "running", ""),
        (EXITED, "done", ""),
        ({**FAILED, "Result": "exit-code", "ExecMainStatus": "101"}, "failed", "exit code 101"),
        ({**FAILED, "Result": "oom-kill"}, "failed", "the kernel ended it for want of memory; compile"),
        ({**FAILED, "Result": "timeout"}, "failed", "it took too long and was stopped"),
        (NOTHING, "gone", "it is not known how it end"),
        ({}, "gone", "it is not known how it end"),
    ],
)
def test_how_a_job_is_doing(properties: dict[str, str], state: str, why: str) -> None:
    said = kaspa_job.judged(properties)
    assert (said[0], said[1][: len(why)]) == (state, why)


def test_lines_come_when_they_are_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo\nthr")
    lines, offset = kaspa_job.lines_from(log, 0, ended=False)
    assert (lines, offset) == (["one", "two"], 8)
    assert kaspa_job.lines_from(log, offset, ended=False) == ([], 8)
    log.write_bytes(b"one\ntwo\nthree\n")
    assert kaspa_job.lines_from(log, offset, ended=False) == (["three"], 14)


def test_the_last_line_comes_though_it_has_no_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\nkill\xff")
    assert kaspa_job.lines_from(log, 4, ended=True) == (["kill\ufffd"], 9)


def test_of_a_job_that_was_found_running_only_the_end_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"short\n")
    assert kaspa_job.backlog(log) == 0
    log.write_bytes(b"a line of ten\n" * 1000)
    offset = kaspa_job.backlog(log)
    assert 14000 - kaspa_job.BACKLOG < offset < 14000
    assert offset % 14 == 0


class Systemd:
    """Stands in for systemctl and systemd-run: one unit, which the test sets."""

    def __init__(self, properties: dict[str, str], log: Path) -> None:
        self.properties = dict(properties)
        self.calls: list[list[str]] = []
        self._log = log

    def __call__(self, words: list[str]) -> str:
        self.calls.append(words)
        if words[:2] == ["systemctl", "stop"] and self.properties.get("ActiveState") != "failed":
            self.properties = dict(NOTHING)
        if words[:2] == ["systemctl", "reset-failed"]:
            self.properties = dict(NOTHING)
        if words[0] == "systemd-run":
            description = next(word for word in words if word.startswith("--description="))
            self.properties = {**EXITED, "Description": description.partition("=")[2]}
            self._log.write_bytes(self._log.read_bytes() + b"hello\n")
        return "".join(f"{name}={value}\n" for name, value in self.properties.items())

    @property
    def started(self) -> bool:
        return any(words[0] == "systemd-run" for words in self.calls)


def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, properties: dict[str, str]) -> tuple[Any, Systemd]:
    wanted = {"name": "build", "argv": ["make"], "user": "nobody", "directory": str(tmp_path), "timeout": 60}
    wanted |= {"log": str(tmp_path / "log"), "environment": {"A": "b"}, "wait": 0.0}
    systemd = Systemd(properties, tmp_path / "log")
    monkeypatch.setattr(kaspa_job, "command", systemd)
    return kaspa_job.Job(wanted), systemd


@pytest.mark.parametrize("before", [NOTHING, EXITED, {**FAILED, "Result": "oom-kill"}])
def test_a_job_that_does_not_run_is_started_with_a_new_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: dict[str, str]
) -> None:
    (tmp_path / "log").write_bytes(b"of another run\n")
    it, systemd = job(monkeypatch, tmp_path, before)
    assert it.begin() == 0
    words = systemd.calls[-1]
    assert {"--property=User=nobody", "--property=NoNewPrivileges=yes", "--setenv=A=b"} <= set(words)
    assert words[words.index("--") + 1 :] == ["make"]
    assert it.follow(0) == {"state": "done", "why": "", "lines": ["hello"], "offset": 6}
    assert systemd.properties == NOTHING


def test_a_job_that_runs_already_is_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    it, systemd = job(monkeypatch, tmp_path, NOTHING)
    (tmp_path / "log").write_bytes(b"")
    it.begin()
    description = systemd.properties["Description"]
    again, systemd = job(monkeypatch, tmp_path, {**RUNNING, "Description": description})
    (tmp_path / "log").write_bytes(b"compiling\nhalf a li")
    assert again.begin() == 0
    assert not systemd.started
    assert again.follow(0) == {"state": "running", "why": "", "lines": ["compiling"], "offset": 10}


def test_another_job_of_that_name_is_not_disturbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    it, systemd = job(monkeypatch, tmp_path, {**RUNNING, "Description": "build of something else"})
    with pytest.raises(OSError, match=r"another build\.service is running; wait for it, or: systemctl stop build"):
        it.begin()
    assert not systemd.started


def test_a_job_that_failed_is_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    it, systemd = job(monkeypatch, tmp_path, {**FAILED, "Result": "exit-code", "ExecMainStatus": "2"})
    (tmp_path / "log").write_bytes(b"it broke")
    assert it.follow(0) == {"state": "failed", "why": "exit code 2", "lines": ["it broke"], "offset": 8}
    assert systemd.properties == NOTHING
    assert not it.forget()
