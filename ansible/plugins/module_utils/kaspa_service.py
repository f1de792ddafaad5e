"""Services of systemd, and plain processes with a record in a file."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class State:
    """The state of a service. pid: 0 if it does not run. invocation: differs between two starts, "" without one."""

    name: str
    active: bool
    pid: int
    invocation: str

    def as_dict(self) -> dict[str, object]:
        """The state for a snapshot."""
        return asdict(self)


@dataclass(frozen=True)
class Mark:
    """A place in a service's log. cursor: of the system's journal, or ""; offset: bytes of a log file, or 0."""

    cursor: str
    offset: int


def search_path() -> str:
    """The PATH with the directories of ufw and others, which logins of users and `su` leave out."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def command(argv: Sequence[str]) -> str:
    """The output of a program; raises OSError if it can't be run or fails."""
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "PATH": search_path()}
    done = subprocess.run(
        list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=environment
    )
    if done.returncode:
        raise OSError(f"`{' '.join(argv[:3])}` failed ({done.returncode}): {done.stderr.strip()[-300:]}")
    return done.stdout


def output(argv: Sequence[str]) -> str:
    """The output of a program; "" if it can't be run or fails, because not every host has each program."""
    try:
        return command(argv)
    except OSError:
        return ""


class SystemdService:
    """A unit of systemd, its log in the journal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unit = f"{name}.service"

    def state(self) -> State:
        """Asked of systemd."""
        wanted = "ActiveState,MainPID,InvocationID"
        lines = command(["systemctl", "show", "--property", wanted, self._unit]).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        pid = int(found.get("MainPID") or 0)
        return State(self._name, found.get("ActiveState") == "active", pid, found.get("InvocationID", ""))

    def mark(self) -> Mark:
        """The unit's newest line; no cursor if there is none yet.

        The end of the whole journal can't be used: journalctl 252 omits the unit's first line after a cursor of
        another unit. And --show-cursor fails if the unit has no line at all.
        """
        newest = self._journal("--lines", "1", "--output-fields", "_PID", output="json").strip()
        return Mark(str(json.loads(newest)["__CURSOR"]) if newest else "", 0)

    def log_since(self, mark: Mark) -> str:
        """The unit's lines after that place."""
        return self._journal("--after-cursor", mark.cursor) if mark.cursor else self._journal()

    def last_lines(self, count: int) -> list[str]:
        """The newest lines, oldest first."""
        return self._journal("--lines", str(count)).splitlines()

    def _journal(self, *words: str, output: str = "cat") -> str:
        return command(["journalctl", "--quiet", "--output", output, *self._own(), *words])

    def _own(self) -> list[str]:
        """The arguments that select the unit's lines."""
        return ["--unit", self._unit]


class NativeService(SystemdService):
    """A unit of systemd with the lines of its own processes, without systemd's lines about it."""

    def _own(self) -> list[str]:
        return [f"_SYSTEMD_UNIT={self._unit}"]


class ProcessService:
    """A process that was started from here; `NAME.json` beside its log is its record."""

    def __init__(self, name: str, directory: str) -> None:
        self._name = name
        self._record = Path(directory) / f"{name}.json"
        self._log = Path(directory) / f"{name}.log"

    @property
    def log(self) -> Path:
        """The file with the output of the process."""
        return self._log

    def record(self) -> dict[str, object]:
        """The record of the start: pid, born, argv, environment, fingerprint; {} if there is none."""
        try:
            found = json.loads(self._record.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_record(self, record: Mapping[str, object]) -> None:
        """Write it completely or not at all; only this user can read it, because the environment may have secrets."""
        temporary = self._record.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(record) + "\n", encoding="utf-8")
        temporary.replace(self._record)

    def start(self, argv: Sequence[str], environment: Mapping[str, str], fingerprint: str) -> int:
        """Start the program in a session of its own, and record the process; returns its id.

        Raises OSError if the program can't be started.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        started = {"argv": list(argv), "environment": dict(environment), "fingerprint": fingerprint}
        self.write_record({"pid": process.pid, "born": born(process.pid), **started})
        return process.pid

    def start_again(self) -> int:
        """Start it as it was started last; returns its id. Raises OSError if there is no record, or it fails."""
        record = self.record()
        argv, environment = record.get("argv"), record.get("environment")
        if not isinstance(argv, list) or not isinstance(environment, dict):
            raise FileNotFoundError(f"{self._record} does not say how to start it; deploy it first")
        return self.start(argv, environment, str(record.get("fingerprint", "")))

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the process to end, kill it after `timeout` seconds, and return when it is gone.

        The record stays.
        """
        pid = self.state().pid
        if pid:
            descriptor = os.pidfd_open(pid)
            try:
                for number, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
                    signal.pidfd_send_signal(descriptor, number)
                    # A process descriptor becomes readable when the process has ended (pidfd_open(2)).
                    if select.select([descriptor], [], [], seconds)[0]:
                        break
            except ProcessLookupError:
                pass
            finally:
                os.close(descriptor)
        if record := self.record():
            self.write_record({**record, "pid": 0, "born": None})

    def forget(self) -> None:
        """Remove the record."""
        self._record.unlink(missing_ok=True)

    def state(self) -> State:
        """From the record; another process with the same number does not count."""
        record = self.record()
        pid, recorded = record.get("pid"), record.get("born")
        if not isinstance(pid, int) or recorded is None or born(pid) != recorded:
            return State(self._name, False, 0, "")
        return State(self._name, True, pid, f"{pid}-{recorded}")

    def mark(self) -> Mark:
        """The end of the log file."""
        try:
            return Mark("", self._log.stat().st_size)
        except FileNotFoundError:
            return Mark("", 0)

    def log_since(self, mark: Mark) -> str:
        """The lines after that place; all lines if the file has become shorter since."""
        try:
            with self._log.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(mark.offset if mark.offset <= size else 0)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def last_lines(self, count: int) -> list[str]:
        """The newest lines, oldest first."""
        return self.log_since(Mark("", 0)).splitlines()[-count:]


Service = SystemdService | ProcessService


def service(manager: str, name: str, directory: str | None) -> Service:
    """The service of that name. manager: `systemd` or `process`; directory: of the record and the log of a process."""
    return ProcessService(name, directory or ".") if manager == "process" else SystemdService(name)


def born(pid: int) -> int | None:
    """When a process started, in clock ticks since the system did (proc(5), stat, field 22); None: no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the program's name in parentheses, may have spaces and parentheses too.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def began(pid: int) -> float | None:
    """When a process started, as Unix time; None: no such process."""
    ticks = born(pid)
    if ticks is None:
        return None
    stat = Path("/proc/stat").read_text(encoding="utf-8")
    booted = next(int(line.split()[1]) for line in stat.splitlines() if line.startswith("btime "))
    return booted + ticks / os.sysconf("SC_CLK_TCK")
