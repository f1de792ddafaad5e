"""The machine's own apt sources, in either format of sources.list(5), and those of its Debian or Ubuntu itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError

ETC_APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
DISTRIBUTIONS = ("debian", "ubuntu")


@dataclass(frozen=True)
class Source:
    """One archive of binary packages: `uri suite components`, and the keyring file or armoured key that signs it."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None = None

    def line(self, signed_by: str | None = None) -> str:
        """The source in one-line format, signed by the given keyring or its own."""
        keyring = signed_by or self.signed_by
        option = f"[signed-by={keyring}] " if keyring else ""
        return " ".join([f"deb {option}{self.uri} {self.suite}", *self.components])


@dataclass(frozen=True)
class Distribution:
    """From /etc/os-release: `debian` or `ubuntu`, and the suite's code name."""

    id: str
    codename: str

    @classmethod
    def read(cls, path: Path = OS_RELEASE) -> Distribution:
        """Raises LabError for a machine that is neither Debian nor Ubuntu."""
        try:
            pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        except OSError as error:
            raise LabError(f"cannot read {path}: {error.strerror}") from error
        values = {key: value.strip("\"'") for key, value in pairs}
        found = cls(values.get("ID", ""), values.get("VERSION_CODENAME", ""))
        if found.id not in DISTRIBUTIONS or not found.codename:
            says = f"{found.id!r} {found.codename!r}"
            raise LabError(f"the lab's hosts are built from Debian's or Ubuntu's packages; {path} says {says}")
        return found


def parse_one_line(text: str) -> Iterator[Source]:
    """Sources of the format `deb [options] uri suite component…`."""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        match = re.fullmatch(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)", line)
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            yield Source(match[2], match[3], tuple(match[4].split()), options.get("signed-by"))


def parse_deb822(text: str) -> Iterator[Source]:
    """Sources of the format of *.sources files; an embedded key is kept as text."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in " \t" and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        signed_by = fields.get("signed-by", "").strip() or None
        if signed_by and "BEGIN PGP" in signed_by:
            signed_by = "\n".join("" if line == "." else line for line in signed_by.splitlines())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), signed_by)


def read(directory: Path = ETC_APT) -> list[Source]:
    """Every enabled source of the machine."""
    found: list[Source] = []
    files = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]
    for file in files:
        try:
            if file.suffix == ".list":
                found += parse_one_line(file.read_text())
            elif file.suffix == ".sources":
                found += parse_deb822(file.read_text())
        except FileNotFoundError:
            continue
    return found


def of_distribution(sources: list[Source], distribution: Distribution) -> list[Source]:
    """The sources that make up the distribution itself, the main suite first, each once.

    Raises LabError if the main suite is not among them.
    """
    name = distribution.codename
    wanted = [name, f"{name}-updates", f"{name}-security", f"{name}/updates"]
    own = [source for source in sources if source.suite in wanted and "main" in source.components]
    own = sorted(dict.fromkeys(own), key=lambda source: wanted.index(source.suite))
    if not own or own[0].suite != name:
        raise LabError(
            f"no apt source of this machine offers {distribution.id} {name} main; see {ETC_APT}/sources.list.d"
        )
    return own


def of_suite(sources: list[Source], distribution: Distribution, suite: str) -> list[Source]:
    """The same archives for another suite of the distribution. Raises LabError if that is no code name."""
    if not re.fullmatch(r"[a-z]+", suite):
        raise LabError(f"{suite!r} is no code name of a {distribution.id} release, such as {distribution.codename}")
    return [replace(source, suite=source.suite.replace(distribution.codename, suite)) for source in sources]
