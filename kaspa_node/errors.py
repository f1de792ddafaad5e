"""The errors that people see: each is one line that says what happened, where, and what to do next.

KaspaNodeError            1
├── ConfigError           2   a setting has a value that can't be used
├── IdentityError         2   the key file can't be used or written
├── ListenError           2   an address or socket can't be used for listening
│   └── AlreadyRunning    2   another node answers on the control socket
├── RunError              2   there is no such run of verify, or its evidence can't be used
├── ControlError          1   the running node can't be reached, or its answer can't be understood
└── RequestFailed         1   the running node answered that the request did not succeed
    └── RequestRefused    2   the reason is the node's input: its configuration, its key file

LayerError is the base of the errors of kaspa/ and p2p/. The figures are the exit codes of `kaspa-node`.
"""

from __future__ import annotations

import json

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_SHOWN = 160


def shown(value: object) -> str:
    """A value as part of an error line: quoted, on one line, cut if it is long."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def one_line(text: str) -> str:
    """Text of a library, of the system or of another process, made safe for one line on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


class KaspaNodeError(Exception):
    """An error that the user can do something about. Its text is printed after `kaspa-node: `, without a traceback."""

    exit_code = EXIT_FAILED


class LayerError(Exception):
    """Base of what goes wrong inside a layer (kaspa/, p2p/): not for people, until someone above says what it means."""


class ConfigError(KaspaNodeError):
    """A setting has a value that can't be used.

    setting: its key; value: as it was given; origin: the variable or file that it came from;
    problem: what is wrong with it; expected: what would be right.
    """

    exit_code = EXIT_BAD_INPUT

    def __init__(self, setting: str, value: object, origin: str, problem: str, expected: str) -> None:
        self.setting = setting
        self.value = value
        self.origin = origin
        self.problem = problem
        self.expected = expected
        given = "" if value is None else f" {shown(value)}"
        super().__init__(f"{setting}:{given} (from {origin}) {one_line(problem)}; expected {expected}")


class IdentityError(KaspaNodeError):
    """The key file can't be used or written. path: of the file; problem and remedy: a clause each."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        self.path = str(path)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"identity key {self.path}: {one_line(problem)}; {remedy}")


class ListenError(KaspaNodeError):
    """An address or socket can't be used for listening. address: as configured; problem and remedy: a clause each."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, address: str, problem: str, remedy: str) -> None:
        self.address = address
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"can't listen on {address}: {one_line(problem)}; {remedy}")


class AlreadyRunning(ListenError):
    """Another process serves the control socket."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "already running, another node holds this control socket", "stop it, or set `control`")


class RunError(KaspaNodeError):
    """There is no such run of verify, or its evidence can't be used."""

    exit_code = EXIT_BAD_INPUT


class ControlError(KaspaNodeError):
    """The running node can't be reached over its control socket, or its answer can't be understood."""


class RequestFailed(KaspaNodeError):
    """The running node answered that the request did not succeed; the text is the node's."""


class RequestRefused(RequestFailed):
    """The running node answered that its configuration or key file can't be used. The text is the node's."""

    exit_code = EXIT_BAD_INPUT


def first_error(group: BaseExceptionGroup[KaspaNodeError]) -> KaspaNodeError:
    """The first error of a group of `except*`, at any depth, for the one line that a person reads."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if not isinstance(found, KaspaNodeError):
        raise TypeError(f"{found!r} is no error for people")
    return found
