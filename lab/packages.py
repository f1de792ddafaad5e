"""Which hosts packages come from, read from this machine's own configuration when the lab starts.

The lab's hosts have no way out but a forwarder; these names are what it lets through and what the hosts' /etc/hosts
points at it. No such name is written in this repository: pip's own index is asked of pip.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lab import aptsources
from lab.command import run
from lab.errors import LabError

EXTRA = "KASPA_LAB_PACKAGE_HOSTS"
"""Environment variable with further host names, separated by commas."""

PORTS = {"http": 80, "https": 443}
ENVIRONMENT = re.compile(
    r"PIP_(EXTRA_)?INDEX_URL|PIP_FIND_LINKS|UV_(DEFAULT_)?INDEX(_URL)?"
    r"|CARGO_REGISTRIES_\w+_INDEX|RUSTUP_(DIST_SERVER|UPDATE_ROOT)"
)
URL = re.compile(r"https?://[^\s\"'<>\\]+")
PIP_DEFAULTS = "from pip._internal.models.index import PyPI; print(PyPI.url, 'https://' + PyPI.file_storage_domain)"


def package_hosts(environment: Mapping[str, str] | None = None, home: Path | None = None) -> dict[str, tuple[int, ...]]:
    """Host name → TCP ports, of all that this machine installs packages from (apt, pip, cargo)."""
    environment = os.environ if environment is None else environment
    home = Path.home() if home is None else home
    urls = [source.uri for source in aptsources.read()]
    urls += _urls(value for name, value in environment.items() if ENVIRONMENT.fullmatch(name))
    urls += _urls(_pip())
    urls += _urls(_text(home / ".cargo" / name) for name in ("config.toml", "config"))
    ports: dict[str, set[int]] = {}
    for url in urls:
        parts = urlsplit(url.removeprefix("sparse+").removeprefix("registry+"))
        if parts.hostname and parts.scheme in PORTS:
            ports.setdefault(parts.hostname, set()).add(parts.port or PORTS[parts.scheme])
    for name in environment.get(EXTRA, "").replace(";", ",").split(","):
        if name.strip():
            ports.setdefault(name.strip(), set()).update(PORTS.values())
    return {name: tuple(sorted(numbers)) for name, numbers in sorted(ports.items())}


def _urls(texts: Iterable[str]) -> list[str]:
    return [url for text in texts for url in URL.findall(text)]


def _pip() -> list[str]:
    """What pip says of its configuration, and of its built-in index; nothing where there is no pip."""
    texts = []
    for argv in (["-m", "pip", "config", "list"], ["-c", PIP_DEFAULTS]):
        try:
            texts.append(run(["python3", *argv]))
        except LabError:
            continue
    return texts


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
