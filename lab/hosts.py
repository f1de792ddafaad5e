"""Each host's own files before its first boot, its start, and the wait until it runs."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from lab import background, cgroups, ssh
from lab.command import last_line, run
from lab.errors import LabError
from lab.namespaces import NamedNamespaces
from lab.paths import Paths
from lab.topology import HOSTS, PACKAGES, PREFIX, Host

BOOT_TIMEOUT = 60.0
UP = ("running", "degraded")
"""The output of `systemctl is-system-running` on a host that has booted."""

NSPAWN_STATE = Path("/run/systemd/nspawn")


def prepare(paths: Paths, package_hosts: Iterable[str], hosts: Iterable[Host] = HOSTS) -> None:
    """Write each host's own files: name, hosts file, host key, the key for logins."""
    authorized = ssh.make_key(paths.key, "kaspa-lab")
    for host in hosts:
        upper = paths.hosts / host.name / "upper"
        (upper / "etc").mkdir(parents=True)
        (upper / "etc/hostname").write_text(f"{host.name}\n")
        names = " ".join(package_hosts)
        forwarded = f"{PACKAGES} {names}\n" if names else ""
        (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n{forwarded}")
        ssh.make_key(upper / ssh.HOST_KEY, host.name)
        login = upper / "root/.ssh"
        login.mkdir(parents=True, mode=0o700)
        (upper / "root").chmod(0o700)
        (login / "authorized_keys").write_text(f"{authorized}\n")
        (login / "authorized_keys").chmod(0o600)


def write_known_hosts(paths: Paths, hosts: Iterable[Host]) -> None:
    """Record the key of each of these hosts under its address."""
    keys = {host: ssh.make_key(paths.hosts / host.name / "upper" / ssh.HOST_KEY, host.name) for host in hosts}
    paths.known_hosts.write_text("".join(f"{host.address} {key}\n" for host, key in keys.items()))


def start(paths: Paths, host: Host, base: Path) -> None:
    """Boot the host; returns at once."""
    argv = background.module(
        "lab.boot",
        f"--name={host.name}",
        f"--base={base}",
        f"--directory={paths.hosts / host.name}",
        f"--namespace={NamedNamespaces().path(host.name)}",
    )
    process = background.start(["unshare", "--mount", "--propagation", "private", *argv], console(paths, host))
    cgroups.join(host.name, process.pid)


def console(paths: Paths, host: Host) -> Path:
    return paths.logs / f"{host.name}.console"


def answer(paths: Paths, host: Host, *words: str, timeout: float = 5.0) -> str:
    """The output of a command on the host; empty if the host can't be reached in time."""
    try:
        return run(ssh.command(paths, host, words), timeout=timeout, check=False).strip()
    except LabError:
        return ""


def system_states(paths: Paths, hosts: Iterable[Host] = HOSTS) -> dict[str, str]:
    """`systemctl is-system-running` of each host, from all at once; `unreachable` if SSH gets no answer."""
    asked = {
        host.name: subprocess.Popen(
            ssh.command(paths, host, ["systemctl", "is-system-running"], extra=["-oConnectTimeout=2"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for host in hosts
    }
    states = {}
    for name, process in asked.items():
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        states[name] = output.strip() or "unreachable"
    return states


def wait_until_up(paths: Paths, hosts: Iterable[Host] = HOSTS, *, timeout: float = BOOT_TIMEOUT) -> None:
    """Wait until these hosts have booted. Raises LabError that names the host and its console's last line."""
    started = time.monotonic()
    waiting = list(hosts)
    told = started
    while waiting:
        states = system_states(paths, waiting)
        for host in [host for host in waiting if states[host.name] in UP]:
            print(f"  {host.name} {host.address} is up ({time.monotonic() - started:.1f} s)", flush=True)
            waiting.remove(host)
        for host in waiting:
            if not cgroups.populated(host.name):
                raise LabError(f"host {host.name} ended while it booted: {_console_end(paths, host)}")
        if not waiting:
            return
        now = time.monotonic()
        if now - started > timeout:
            host = waiting[0]
            raise LabError(
                f"host {host.name} is {states[host.name]} after {timeout:.0f} s: {_console_end(paths, host)}"
            )
        if now - told > 3:
            print(f"  waiting for {', '.join(f'{h.name} ({states[h.name]})' for h in waiting)}", flush=True)
            told = now
        time.sleep(0.1)


def _console_end(paths: Paths, host: Host) -> str:
    log = console(paths, host)
    text = log.read_text(errors="replace") if log.exists() else ""
    return f"{last_line(text)} ({log})"


def remove_nspawn_state(name: str = "*") -> None:
    """Remove what systemd-nspawn leaves in /run for the lab's machines, or one; its directories if they are empty."""
    if not NSPAWN_STATE.is_dir():
        return
    for entry in NSPAWN_STATE.glob(f"*/{PREFIX}{name}"):
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for lock in NSPAWN_STATE.glob("locks/inode-*"):
        _remove_if_free(lock)
    for directory in [*NSPAWN_STATE.iterdir(), NSPAWN_STATE]:
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _remove_if_free(lock: Path) -> None:
    """Remove a lock file that no container holds: its name has only the inode of a root directory."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        lock.unlink()
