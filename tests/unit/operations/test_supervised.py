"""Commands on a host, over the link to this very machine: their output, their end, and what is left of them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab.waiting import until
from operations import supervisor
from operations.connection_settings import Become, ConnectionSettings
from operations.link import Ran
from operations.local_link import LocalLink
from operations.problems import HostProblem, Interrupted, MissingFile
from operations.supervised import in_one_line
from operations.supervisor import PYTHON

# A shell that has a child, says both their ids, and would never end.
FAMILY = ["sh", "-c", 'sleep 1000 & echo "$$ $!"; wait']
# One that does not care for SIGTERM.
STUBBORN = ["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1000; done"]
COMMAND = in_one_line(FAMILY)
SOURCE = Path(supervisor.__file__).read_text()


@pytest.fixture
def interrupted() -> threading.Event:
    return threading.Event()


@pytest.fixture
def link(interrupted: threading.Event) -> LocalLink:
    return LocalLink("here", ConnectionSettings(address=None, interpreter=sys.executable), interrupted)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: list[int]) -> bool:
    return until(lambda: not any(map(alive, pids)), timeout=20)


def test_a_command_that_ends(link: LocalLink) -> None:
    ran = link.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert ran == Ran(3, b"out\n", b"err\n")
    assert (ran.ok, ran.text, ran.complaint) == (False, "out\n", "err")


def test_input_of_any_size_and_output_as_large(link: LocalLink) -> None:
    given = os.urandom(3_000_000)
    assert link.run(["cat"], input=given).out == given
    assert link.run(["cat"], input=b"").out == b""


def test_no_shell_reads_the_words(link: LocalLink) -> None:
    assert link.run(["printf", "%s|", "a b", "$HOME", "*", "é\n"]).text == "a b|$HOME|*|é\n|"


def test_the_hosts_python(link: LocalLink) -> None:
    assert link.run([PYTHON, "-c", "import sys; print(sys.executable)"]).text.strip() == sys.executable


def test_a_program_that_is_not_there(link: LocalLink) -> None:
    ran = link.run(["/nowhere/at-all"])
    assert (ran.exit_code, ran.complaint) == (127, "/nowhere/at-all: No such file or directory")


def test_a_signal_shows_in_the_exit_code(link: LocalLink) -> None:
    assert link.run(["sh", "-c", "kill -9 $$"]).exit_code == 128 + signal.SIGKILL


def test_what_prints_nothing_says_how_it_ended(link: LocalLink) -> None:
    assert link.run(["false"]).complaint == "it ended with 1 and said nothing"


def test_too_long_is_a_problem_and_ends_the_children_too(link: LocalLink, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(HostProblem, match=r"^here: `sh -c .*` did not end within 1 s and was ended$"):
        link.run(["sh", "-c", f'sleep 1000 & echo "$$ $!" > {pids}; wait'], timeout=1)
    assert gone([int(pid) for pid in pids.read_text().split()])


def test_a_stream_hands_over_lines_and_is_ended_when_it_is_stopped(link: LocalLink) -> None:
    stop, lines = threading.Event(), []

    def on_line(line: str) -> None:
        lines.append(line)
        stop.set()

    assert link.stream(FAMILY, on_line, timeout=60, stop=stop) == 128 + signal.SIGTERM
    assert gone([int(pid) for pid in lines[0].split()])


def test_a_stream_whose_command_does_not_care_for_sigterm(link: LocalLink) -> None:
    stop, lines = threading.Event(), []

    def on_line(line: str) -> None:
        lines.append(line)
        stop.set()

    assert link.stream(STUBBORN, on_line, timeout=60, stop=stop) == 128 + signal.SIGKILL
    assert gone([int(lines[0])])


def test_a_stream_ends_by_itself_with_its_last_line(link: LocalLink) -> None:
    lines: list[str] = []
    errors: list[str] = []
    argv = ["sh", "-c", "printf 'a\\nb'; echo c >&2; exit 4"]
    assert link.stream(argv, lines.append, timeout=60, stop=threading.Event(), on_error=errors.append) == 4
    assert (lines, errors) == (["a", "b"], ["c"])


def test_an_interrupted_link_ends_its_command_and_takes_no_other(link: LocalLink, interrupted: threading.Event) -> None:
    lines = []

    def on_line(line: str) -> None:
        lines.append(line)
        interrupted.set()

    with pytest.raises(Interrupted):
        link.stream(FAMILY, on_line, timeout=60, stop=threading.Event())
    assert gone([int(pid) for pid in lines[0].split()])
    with pytest.raises(Interrupted):
        link.run(["true"])


def test_nothing_is_left_when_the_controller_is_killed() -> None:
    script = (
        "import sys, threading\n"
        "from operations.local_link import LocalLink\n"
        "from operations.connection_settings import ConnectionSettings\n"
        "link = LocalLink('here', ConnectionSettings(address=None, interpreter=sys.executable), threading.Event())\n"
        f"link.stream({FAMILY!r}, lambda line: print(line, flush=True), timeout=60, stop=threading.Event())\n"
    )
    root = Path(__file__).parents[3]
    controller = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root)
    assert controller.stdout
    pids = [int(pid) for pid in controller.stdout.readline().split()]
    controller.kill()
    controller.wait()
    controller.stdout.close()
    assert all(pids)
    assert gone(pids)


def test_the_supervisor_has_a_limit_of_its_own() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SOURCE, "0.5", "0", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        begun, pids = process.stdout.readline(), process.stdout.readline()
        assert begun == supervisor.BEGUN
        assert process.wait(20) == 128 + signal.SIGTERM
    assert gone([int(pid) for pid in pids.split()])


def test_files(link: LocalLink, tmp_path: Path) -> None:
    path = tmp_path / "file"
    link.write(str(path), b"\x00secret\n")
    assert (path.stat().st_mode & 0o777, link.read(str(path))) == (0o600, b"\x00secret\n")
    link.write(str(path), b"new", mode=0o640)
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o640, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_can_not_be(link: LocalLink, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="^here: there is no file /nowhere/at-all$"):
        link.read("/nowhere/at-all")
    with pytest.raises(HostProblem, match=r"can't be read: Is a directory$"):
        link.read(str(tmp_path))
    with pytest.raises(HostProblem, match=r"^here: /nowhere/at-all can't be written: .*No such file or directory"):
        link.write("/nowhere/at-all", b"")
    with pytest.raises(HostProblem, match=r"can't be written: .*nobody-at-all"):
        link.write(str(tmp_path / "file"), b"", owner="nobody-at-all")
    assert list(tmp_path.iterdir()) == []


SUDO = Become(lambda line: (f"sudo -n -- sh -c {shlex.quote(line)}", ""))
WITH_PASSWORD = Become(lambda line: (f"sudo -S -p 'word: ' -- sh -c {shlex.quote(line)}", "word: "), "it's")


def program(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("sudo: a password is required", "here: no root: sudo: a password is required; give the password"),
        ("admin is not in the sudoers file.", "here: no root: admin is not in the sudoers file.; give the password"),
        ("sudo: command not found", "here: no root: sudo: command not found"),
    ],
)
def test_no_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: threading.Event, said: str, problem: str
) -> None:
    program(tmp_path, "sudo", f"echo '{said}' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    link = LocalLink("here", ConnectionSettings(address=None, interpreter=sys.executable, become=SUDO), interrupted)
    with pytest.raises(HostProblem, match=f"^{problem}"):
        link.run(["true"])
    assert link.run(["echo", "hello"], become=False).text == "hello\n"


def test_sudo_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: threading.Event) -> None:
    program(tmp_path, "sudo", '[ "$1 $2" = "-n --" ] || exit 9; shift 2; WHO=root exec "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    link = LocalLink("here", ConnectionSettings(address=None, interpreter=sys.executable, become=SUDO), interrupted)
    assert link.run(["sh", "-c", "echo $WHO"]).text == "root\n"


ASKS = """
printf 'We trust you have received the lecture.\nword: ' >&2
read -r word
[ "$word" = "it's" ] || { printf 'Sorry, try again.\nword: ' >&2; read -r word; exit 1; }
shift 4; exec "$@"
"""


def test_sudo_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: threading.Event) -> None:
    program(tmp_path, "sudo", ASKS)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    link = LocalLink("here", ConnectionSettings(None, interpreter=sys.executable, become=WITH_PASSWORD), interrupted)
    ran = link.run(["sh", "-c", "cat; echo err >&2"], input=b"given")
    assert (ran.out, ran.err) == (b"given", b"err\n")


def test_sudo_that_needs_no_password_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: threading.Event
) -> None:
    program(tmp_path, "sudo", 'shift 4; exec "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    link = LocalLink("here", ConnectionSettings(None, interpreter=sys.executable, become=WITH_PASSWORD), interrupted)
    assert link.run(["cat"], input=b"given").out == b"given"


def test_a_wrong_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: threading.Event) -> None:
    program(tmp_path, "sudo", ASKS)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    become = replace(WITH_PASSWORD, password="wrong")
    link = LocalLink("here", ConnectionSettings(None, interpreter=sys.executable, become=become), interrupted)
    with pytest.raises(HostProblem, match="^here: no root: the become password is refused; see ansible_become_pass"):
        link.run(["true"])


def test_a_command_as_login_shells_see_it() -> None:
    argv = ["sh", "-c", "echo 'a\nb\\\\n' \"!x\" \\"]
    line = in_one_line(argv)
    assert json.loads(line) == argv
    assert not {"\n", "!"} & {*line}
    assert "\\\\" not in line


def test_what_a_login_shell_prints_is_not_the_commands(tmp_path: Path, interrupted: threading.Event) -> None:
    chatty = program(tmp_path, "python", f'echo "Welcome to this host"; exec {sys.executable} "$@"')
    link = LocalLink("here", ConnectionSettings(address=None, interpreter=str(chatty)), interrupted)
    assert link.run(["echo", "hello"]).text == "hello\n"


def test_no_python(tmp_path: Path, interrupted: threading.Event) -> None:
    link = LocalLink("here", ConnectionSettings(address=None, interpreter="/nowhere/python"), interrupted)
    with pytest.raises(HostProblem, match="^here: /nowhere/python can't be started: No such file or directory$"):
        link.run(["true"])
    silent = program(tmp_path, "python", "exit 1")
    link = LocalLink("here", ConnectionSettings(address=None, interpreter=str(silent)), interrupted)
    with pytest.raises(HostProblem, match="^here: `true` was not started: the connection ended$"):
        link.run(["true"])
