"""The hosts' base file system: a small Debian made by mmdebstrap from the machine's own apt sources, kept in the cache.

The name of a base is the hash of its recipe: packages, sources, certificates. Hosts never write to it (overlay).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import re
import shutil
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from lab import aptsources
from lab.aptsources import Distribution, Source
from lab.command import last_line, run
from lab.errors import LabError
from lab.lock import exclusive

RECIPE_VERSION = 1
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "openssh-server",
    "sudo",
    "python3",
    "python3-venv",
    "python3-apt",
    "python3-packaging",
    "libgmp10",
    "iproute2",
    "iputils-ping",
    "nftables",
    "ufw",
    "ca-certificates",
    "procps",
    "tcpdump",
    "netbase",
)
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "motd-news.timer", "systemd-networkd-wait-online.service")
"""Units that would hold apt's lock, or wait for a network manager, during a deployment."""

APT_SETTINGS = re.compile(r"Acquire::(Check-Valid-Until|Check-Date|ForceIPv4|Retries|Languages)\b")
CERTIFICATES = Path("/usr/local/share/ca-certificates")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
BUILD_TIMEOUT = 600.0
PROGRESS_SECONDS = 3.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the content of a base."""

    distribution: Distribution
    sources: tuple[Source, ...]
    apt_settings: tuple[str, ...]
    certificates: tuple[tuple[str, str], ...]
    packages: tuple[str, ...] = PACKAGES
    version: int = RECIPE_VERSION

    @property
    def digest(self) -> str:
        """A name for the base: 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def of_this_machine(cls, suite: str = "") -> Recipe:
        """suite: a release of the machine's distribution; its own if empty.

        Raises LabError if the machine's apt sources are no complete distribution.
        """
        distribution = Distribution.read()
        sources = aptsources.of_distribution(aptsources.read(), distribution)
        if suite:
            sources = aptsources.of_suite(sources, distribution, suite)
            distribution = replace(distribution, codename=suite)
        settings = [line for line in run(["apt-config", "dump"]).splitlines() if APT_SETTINGS.match(line)]
        certificates = [(path.name, path.read_text()) for path in sorted(CERTIFICATES.rglob("*.crt"))]
        return cls(distribution, tuple(sources), tuple(settings), tuple(certificates))


def ensure(bases: Path, suite: str = "") -> Path:
    """The base file system for this machine, or for another suite; built if it is not in the cache. Raises LabError.

    Each suite has a directory of its own, so that a base of one does not replace that of another.
    """
    recipe = Recipe.of_this_machine(suite)
    if suite not in ("", Distribution.read().codename):
        bases = bases.with_name(f"{bases.name}-{suite}")
    bases.mkdir(parents=True, exist_ok=True)
    with exclusive(bases.with_suffix(".lock"), timeout=BUILD_TIMEOUT):
        base = bases / recipe.digest
        return base if base.is_dir() else _build(recipe, base)


def _build(recipe: Recipe, base: Path) -> Path:
    partial = base.with_suffix(".partial")
    _remove(partial)
    started = time.monotonic()
    print(
        f"building the hosts' base: {recipe.distribution.id} {recipe.distribution.codename}, once, one to two minutes",
        flush=True,
    )
    try:
        _bootstrap(recipe, partial, base.parent)
        _finish(recipe, partial)
        partial.rename(base)
    finally:
        _remove(partial)
    print(f"the base is built ({time.monotonic() - started:.0f} s)", flush=True)
    return base


def prune(base: Path) -> None:
    """Remove all other cached bases; call it when nothing runs on them."""
    for old in base.parent.iterdir():
        if old != base:
            _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _bootstrap(recipe: Recipe, target: Path, scratch: Path) -> None:
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--verbose"]
    argv += [f"--include={','.join(recipe.packages)}", "--dpkgopt=force-unsafe-io"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    argv += [f"--aptopt={setting}" for setting in recipe.apt_settings]
    argv += ['--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*']
    argv += [recipe.distribution.codename, str(target)]
    argv += [source.line(str(_keyring(source, scratch)) if _embedded(source) else None) for source in recipe.sources]
    _run_with_progress(argv)


def _embedded(source: Source) -> bool:
    return bool(source.signed_by and "BEGIN PGP" in source.signed_by)


def _keyring(source: Source, scratch: Path) -> Path:
    """The key from inside the machine's sources file, as a file."""
    text = source.signed_by or ""
    path = scratch / f"key-{hashlib.sha256(text.encode()).hexdigest()[:8]}.asc"
    path.write_text(text)
    return path


def _run_with_progress(argv: list[str]) -> None:
    """Run a long program and show its newest line every few seconds."""
    started = time.monotonic()
    lines: queue.Queue[str | None] = queue.Queue()
    kept: list[str] = []
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed: apt-get install {argv[0]}") from error
    assert process.stdout is not None
    reader = threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    shown = started
    newest = ""
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=0.5)
                if line is None:
                    break
                newest = line.strip() or newest
                kept = [*kept[-200:], line]
            now = time.monotonic()
            if now - shown >= PROGRESS_SECONDS:
                print(f"  base, {now - started:3.0f} s: {newest[:90]}", flush=True)
                shown = now
            if now - started > BUILD_TIMEOUT:
                raise LabError(f"mmdebstrap is not done after {BUILD_TIMEOUT:.0f} s; its last line: {newest}")
        if process.wait(timeout=30) != 0:
            errors = [line for line in kept if line.startswith("E:")]
            raise LabError(f"mmdebstrap failed: {(errors or [last_line(''.join(kept))])[0].strip()}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _read_lines(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _finish(recipe: Recipe, root: Path) -> None:
    """Remove what belongs to this machine, add what each host of the lab needs."""
    (root / "etc/machine-id").write_text("")
    for name in ("etc/hostname", "etc/resolv.conf"):
        (root / name).unlink(missing_ok=True)
    # libp2p's DNS library can't be imported without a configured name server.
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    _write_sources(recipe, root)
    if recipe.certificates:
        directory = root / str(CERTIFICATES).lstrip("/")
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in recipe.certificates:
            (directory / name).write_text(text)
        run(["chroot", str(root), "update-ca-certificates"], timeout=60)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = {BUNDLE}\n")


def _write_sources(recipe: Recipe, root: Path) -> None:
    lines = []
    for source in recipe.sources:
        keyring = None
        if _embedded(source):
            inside = Path("etc/apt/keyrings") / _keyring(source, root / "etc/apt/keyrings").name
            keyring = f"/{inside}"
        elif source.signed_by and not (root / source.signed_by.lstrip("/")).exists():
            inside = Path(source.signed_by.lstrip("/"))
            (root / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source.signed_by, root / inside)
        lines.append(source.line(keyring))
    for old in (root / "etc/apt/sources.list.d").glob("*"):
        old.unlink()
    (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
