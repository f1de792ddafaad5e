"""Hosts that are none, for tests of what is done on them: nodes, and links that answer from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from operations.connection_settings import ConnectionSettings
from operations.inventory import Inventory, Node, Places
from operations.link import OnLine, Ran
from operations.problems import MissingFile

Answer = Ran | str | Mapping[str, Any] | Callable[[], Ran]


def node(name: str = "client", role: str = "peer", manager: str = "systemd", **variables: Any) -> Node:
    """A node as deploy leaves it; further variables as the inventory would have them."""
    directory = None if manager == "systemd" else f"/local/{name}"
    places = Places(
        state_dir="/var/lib/kaspa-node",
        key="/var/lib/kaspa-node/identity.key",
        config=f"/etc/kaspa-node/{role}.toml",
        control="/run/kaspa-node/control.sock",
        facts_dir="/etc/ansible/facts.d",
        command=("/opt/kaspa-node/bin/python", "-m", "kaspa_node"),
        environment={} if directory is None else {"PYTHONPATH": "/checkout"},
        directory=directory,
        log=None if directory is None else f"{directory}/kaspa-{role}.log",
        lock="/run/kaspa-node.lock" if directory is None else f"{directory}.lock",
        user="kaspa" if directory is None else None,
    )
    dials = tuple(variables.get("kaspa_peer_dials", ()))
    settings = ConnectionSettings(address=f"{name}.example")
    return Node(name, role, manager, f"kaspa-{role}", places, dials, f"{name}.example", settings, variables.get)


def inventory(*nodes: Node) -> Inventory:
    """An inventory of these."""
    return Inventory("inventory/test", {each.name: each for each in nodes})


def printed(value: object, code: int = 0, err: str = "") -> Ran:
    """A command that printed a text, or an object as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return Ran(code, text.encode(), err.encode())


class ScriptedLink:
    """Answers a command by the first of its words that the script knows; several answers are given in turn.

    asked: the commands. The last answer is given again and again. Files are in `files`.
    """

    def __init__(self, script: Mapping[str, Answer | list[Answer]] | None = None) -> None:
        self.asked: list[list[str]] = []
        self.files: dict[str, bytes] = {}
        self._script = {
            word: answer if isinstance(answer, list) else [answer] for word, answer in (script or {}).items()
        }

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float = 30.0, become: bool = True
    ) -> Ran:
        self.asked.append(list(argv))
        word = next((word for word in self._script if word in argv), None)
        if word is None:
            raise AssertionError(f"nobody expected {argv}")
        answers = self._script[word]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Ran):
            return answer
        return answer() if callable(answer) else printed(answer)

    def stream(
        self,
        argv: Sequence[str],
        on_line: OnLine,
        *,
        timeout: float,
        stop: threading.Event,
        on_error: OnLine | None = None,
        become: bool = True,
    ) -> int:
        ran = self.run(argv)
        for line in ran.text.splitlines():
            on_line(line)
        return ran.exit_code

    def read(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise MissingFile(f"there is no file {path}", "test") from None

    def write(self, path: str, content: bytes, *, mode: int = 0o600, owner: str | None = None) -> None:
        self.files[path] = content

    def close(self) -> None:
        """Nothing is open."""
