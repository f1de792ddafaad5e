"""Builds the peers on go-libp2p, rust-libp2p and js-libp2p that the tests in tests/interop run against.

    python3 scripts/interop_peers.py [go] [rust] [js]

They are programs of our own (tests/interop/go, rust and js) on libraries from the languages' registries, as each tool
on this machine is set up to reach its registry. Versions and hashes are those of go.sum, Cargo.lock and
package-lock.json.
What is built lands in .cache/interop/. One or two minutes each on two cores; nothing to do if it is up to date.
A language without its tools is left out, and one line says so. Exit code 1: a build failed, and why. With
--if-possible a language whose packages can't be fetched is left out, too.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import locks
from commands import ROOT, Command, Problem, run
from progress import Progress

SOURCES = ROOT / "tests" / "interop"
PLACE = ROOT / ".cache" / "interop"
_REGISTRY = "see the lines above; the registry comes from the tool's own configuration"


class Unreachable(Problem):
    """Packages that can't be fetched."""


@dataclass(frozen=True, slots=True)
class Language:
    """One of the languages.

    tools: programs that building needs. fetch: gets the packages. build: makes the program. words: how it is started.
    """

    name: str
    tools: tuple[str, ...]
    fetch: Callable[[Language], None]
    build: Callable[[Language], None]
    words: tuple[str, ...]

    @property
    def sources(self) -> Path:
        """Where its sources are."""
        return SOURCES / self.name

    @property
    def place(self) -> Path:
        """Where it is built."""
        return PLACE / self.name

    @property
    def _stamp(self) -> Path:
        return PLACE / f"{self.name}.built"

    def obstacle(self) -> str | None:
        """Which tool is missing; None if it can be built here."""
        for tool in self.tools:
            if shutil.which(tool) is None:
                return f"{tool} is not installed"
        return None

    def flaw(self) -> str | None:
        """Why it can't be run as the sources have it; None if it can."""
        if not self._stamp.is_file():
            return "not built"
        return None if self._stamp.read_text() == self._key() else "built from other sources"

    def make(self) -> None:
        """Build it, once its packages are there. Raises Problem, and Unreachable for those."""
        self.place.mkdir(parents=True, exist_ok=True)
        self._stamp.unlink(missing_ok=True)
        try:
            self.fetch(self)
        except Problem as problem:
            what = f"the packages of the {self.name} peer can't be fetched"
            raise Unreachable(what, _REGISTRY, problem.output) from problem
        self.build(self)
        self._stamp.write_text(self._key())

    def _key(self) -> str:
        files = sorted(file for file in self.sources.rglob("*") if file.is_file())
        return locks.digest(files, *(str(file.relative_to(SOURCES)) for file in files), str(ROOT))


def _fetch_go(language: Language) -> None:
    run(["go", "mod", "download"], cwd=language.sources)


def _build_go(language: Language) -> None:
    program = language.place / "interop"
    words: Command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", program, "."]
    run(words, cwd=language.sources, env={"CGO_ENABLED": "0"}, what="the Go peer can't be built")


def _fetch_rust(language: Language) -> None:
    run(["cargo", "fetch", "--locked"], cwd=language.sources)


def _build_rust(language: Language) -> None:
    words = ["cargo", "build", "--release", "--locked"]
    place = {"CARGO_TARGET_DIR": str(language.place)}
    run(words, cwd=language.sources, env=place, what="the Rust peer can't be built")


def _fetch_js(language: Language) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(language.sources / name, language.place / name)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=language.place)


def _build_js(language: Language) -> None:
    for file in language.sources.glob("*.js"):
        shutil.copyfile(file, language.place / file.name)


LANGUAGES = {
    language.name: language
    for language in (
        Language("go", ("go",), _fetch_go, _build_go, (str(PLACE / "go" / "interop"),)),
        Language("rust", ("cargo",), _fetch_rust, _build_rust, (str(PLACE / "rust" / "release" / "interop"),)),
        Language("js", ("node", "npm"), _fetch_js, _build_js, ("node", str(PLACE / "js" / "main.js"))),
    )
}


def missing(name: str) -> str | None:
    """Why the peer of a language can't be run now, with what to do; None if it can."""
    language = LANGUAGES[name]
    flaw = language.flaw()
    if flaw is None:
        return None
    return f"the {name} peer is {flaw}: {language.obstacle() or f'python3 scripts/interop_peers.py {name}'}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the peers of other libp2p implementations to test against.")
    parser.add_argument("languages", nargs="*", default=list(LANGUAGES), metavar="LANGUAGE", help="go, rust, js")
    parser.add_argument("--if-possible", action="store_true", help="leave out what can't be fetched")
    arguments = parser.parse_args(argv)
    names = arguments.languages
    unknown = [name for name in names if name not in LANGUAGES]
    if unknown:
        parser.error(f"unknown language {unknown[0]}; expected {', '.join(LANGUAGES)}")
    progress = Progress()
    for name in names:
        language = LANGUAGES[name]
        obstacle = language.obstacle()
        if language.flaw() is None:
            print(f"interop {name}: unchanged")
        elif obstacle is not None:
            print(f"interop {name}: left out, {obstacle}")
        else:
            try:
                with progress.heartbeat(), progress.task(f"interop {name}"):
                    language.make()
            except Problem as problem:
                if arguments.if_possible and isinstance(problem, Unreachable):
                    print(f"interop {name}: left out, {problem.what}")
                    continue
                print(f"{problem.output}interop: {problem}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
