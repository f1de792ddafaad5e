"""What each command does, and what a person sees when it can't."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kaspa_node.cli import commands, main
from kaspa_node.control import client
from kaspa_node.errors import ControlError, KaspaNodeError, ListenError, RequestFailed
from kaspa_node.identity import Identity
from kaspa_node.journal import Journal
from kaspa_node.settings import Settings

SERVER_ID = "12D3KooWPC7iF5f59UFdRFEUfNprqjshtWcevpHm3N9VxD8ArxYW"


class Node:
    """Stands for a running node: remembers what it was asked, answers as it was told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any], float]] = []
        self.answer: dict[str, Any] | KaspaNodeError = {}

    def request(self, path: str, payload: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        self.asked.append((path, payload, timeout))
        if isinstance(self.answer, KaspaNodeError):
            raise self.answer
        return self.answer


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    found = Node()
    monkeypatch.setattr(client, "request", found.request)
    monkeypatch.delenv("KASPA_NODE_CONTROL", raising=False)
    return found


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("kaspa_node")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The node's two programs, replaced by ones that record how they were started, and fail as told."""
    found = SimpleNamespace(started=[], failure=None)

    def program(role: str) -> Any:
        async def run(settings: Settings, identity: Identity, journal: Journal, load: Callable[[], Settings]) -> None:
            assert load() == settings
            found.started.append((role, settings, identity, journal))
            if found.failure is not None:
                raise found.failure

        return run

    fake = SimpleNamespace(run_relay=program("relay"), run_peer=program("peer"))
    monkeypatch.setitem(sys.modules, "kaspa_node.node", fake)
    return found


def test_status_for_people_and_for_programs(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"status": {"role": "peer", "peer_id": SERVER_ID}}
    assert main(["status"]) == 0
    assert f"peer {SERVER_ID}" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == node.answer["status"]
    assert node.asked[0] == ("/run/kaspa-node/control.sock", {"do": "status"}, 5)


def test_the_socket_is_that_of_the_argument_or_the_variable(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.answer = {"status": {}}
    monkeypatch.setenv("KASPA_NODE_CONTROL", "/run/variable.sock")
    main(["status"])
    main(["status", "--control", "/run/argument.sock"])
    assert [path for path, _, _ in node.asked] == ["/run/variable.sock", "/run/argument.sock"]


def test_a_session_is_asked_for_with_what_was_given(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"session": {"session": "9f3a.3", "path": "direct", "peer_id": SERVER_ID}}
    assert main(["session", "server"]) == 0
    assert "Ready over the direct path" in capsys.readouterr().out
    main(["session", "server", "--run", "r1", "--policy", "relay-only", "--timeout", "9", "--stream"])
    assert node.asked[0][1:] == ({"do": "session", "remote": "server", "timeout": 60.0}, 65)
    full = {"do": "session", "remote": "server", "timeout": 9.0, "run": "r1", "policy": "relay-only", "stream": True}
    assert node.asked[1][1:] == (full, 14)


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ({"applied": ["relays", "allow"], "restart": []}, 0, "Applied: relays, allow"),
        ({"applied": [], "restart": []}, 0, "Nothing has changed"),
        (
            {"applied": [], "restart": ["listen", "network"]},
            1,
            "Nothing was applied: only a restart changes listen, network",
        ),
    ],
)
def test_what_came_of_a_reload_is_told(
    node: Node, capsys: pytest.CaptureFixture[str], answer: dict[str, list[str]], code: int, text: str
) -> None:
    node.answer = {"reload": answer}
    assert main(["reload"]) == code
    assert capsys.readouterr().out == f"{text}\n"
    assert main(["reload", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == answer
    assert node.asked[0][1:] == ({"do": "reload"}, 20)


def test_an_exercise_is_asked_for_with_its_pings(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.answer = {"exercise": {"session": "9f3a.3", "pings": 5}}
    assert main(["exercise", "9f3a.3", "--pings", "5", "--timeout", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"session": "9f3a.3", "pings": 5}
    assert node.asked[0][1] == {"do": "exercise", "session": "9f3a.3", "pings": 5, "timeout": 1.0}


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (RequestFailed("no such remote"), 1),
        (ControlError("no control socket"), 1),
        (ListenError("0.0.0.0:4012", "in use", "stop the other"), 2),
    ],
)
def test_an_error_is_one_line_with_its_code(
    node: Node, capsys: pytest.CaptureFixture[str], failure: KaspaNodeError, code: int
) -> None:
    node.answer = failure
    assert main(["status"]) == code
    assert capsys.readouterr() == ("", f"kaspa-node: {failure}\n")


@pytest.mark.parametrize("answer", [{}, {"status": None}, {"status": []}])
def test_an_answer_without_what_was_asked_for(
    node: Node, capsys: pytest.CaptureFixture[str], answer: dict[str, Any]
) -> None:
    node.answer = answer
    assert main(["status"]) == 1
    assert "has no status" in capsys.readouterr().err


def test_the_peer_id_is_printed_and_the_key_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    assert main(["identity"]) == 0
    plain = capsys.readouterr().out
    assert main(["identity", "--json"]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply == {"peer_id": plain.strip(), "key_file": str(tmp_path / "identity.key")}
    (tmp_path / "identity.key").chmod(0o644)
    assert main(["identity"]) == 2
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["relay", "peer"])
def test_a_program_is_started_with_settings_identity_and_journal(
    role: str, programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path / "state"))
    config = tmp_path / "node.toml"
    config.write_text('log_level = "debug"')
    assert main([role, "--config", str(config)]) == 0
    started, settings, identity, journal = programs.started[0]
    assert (started, settings.role, settings.log_level) == (role, role, "debug")
    assert identity.peer_id.startswith("12D3KooW")
    assert isinstance(journal, Journal)
    assert logging.getLogger("kaspa_node").level == logging.DEBUG


@pytest.mark.parametrize("wrap", [False, True])
def test_a_start_that_fails_is_one_line(
    wrap: bool,
    programs: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    busy = ListenError("0.0.0.0:4012", "in use", "stop the other")
    programs.failure = ExceptionGroup("nursery", [ExceptionGroup("nursery", [busy])]) if wrap else busy
    assert main(["peer"]) == 2
    assert capsys.readouterr().err == f"kaspa-node: {busy}\n"


def test_a_defect_keeps_its_traceback(
    programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    programs.failure = LookupError("a defect")
    with pytest.raises(LookupError):
        main(["peer"])


def test_an_interrupt_is_quiet(
    programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    programs.failure = BaseExceptionGroup("nursery", [KeyboardInterrupt()])
    assert main(["peer"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_peer_that_would_dial_itself_does_not_start(
    programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    main(["identity"])
    own = capsys.readouterr().out.strip()
    monkeypatch.setenv("LIBP2P_RELAY_MULTIADDRS", f"/ip4/203.0.113.10/tcp/4011/p2p/{SERVER_ID}")
    monkeypatch.setenv("KASPA_NODE_REMOTES", f"me={own}")
    assert main(["peer"]) == 2
    assert "it would dial itself" in capsys.readouterr().err
    assert programs.started == []


@pytest.mark.parametrize("role", ["relay", "peer"])
def test_a_check_starts_nothing_and_makes_no_key(
    role: str, programs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'state_dir = "{tmp_path / "state"}"')
    assert main([role, "--check", "--config", str(config)]) == 0
    assert capsys.readouterr().out == f"A {role} can run with this configuration.\n"
    assert programs.started == []
    assert not (tmp_path / "state").exists()


def test_a_check_finds_what_a_start_would_not_accept(
    programs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text('listen = ["nowhere"]')
    assert main(["peer", "--check", "--config", str(config)]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert programs.started == []


def test_a_check_knows_the_peer_id_of_the_key(
    programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path))
    main(["identity"])
    own = capsys.readouterr().out.strip()
    monkeypatch.setenv("LIBP2P_RELAY_MULTIADDRS", f"/ip4/203.0.113.10/tcp/4011/p2p/{own}")
    assert main(["peer", "--check"]) == 2
    assert "it would dial itself" in capsys.readouterr().err
    assert programs.started == []


def test_a_bad_configuration_writes_nothing(
    programs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KASPA_NODE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("KASPA_NODE_NETWORK", "mainet")
    assert main(["peer"]) == 2
    assert os.listdir(tmp_path) == []


def test_every_command_is_known() -> None:
    known = {"relay", "peer", "identity", "status", "reload", "session", "exercise", "explain"}
    assert set(commands.COMMANDS) == known


def in_a_process(*argv: str, code: str = "import sys; from kaspa_node.cli import main; sys.exit(main())") -> Any:
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["status", "--control", "/nonexistent/c.sock"], ["explain", "nothing"]])
def test_asking_a_node_loads_nothing_slow(words: list[str]) -> None:
    code = (
        f"import sys; from kaspa_node.cli import main; main({words}); "
        "print(*sorted({'libp2p', 'grpc', 'trio', 'multiaddr', 'google', 'cryptography'} & set(sys.modules)))"
    )
    assert in_a_process(code=code).stdout == "\n"


def test_a_reader_that_has_enough_is_no_error() -> None:
    code = (
        "import sys, os; from kaspa_node.cli import main; from kaspa_node.control import client; "
        "client.request = lambda *a: {'status': {'x': 'y' * 1000000}}; "
        "r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.exit(main(['status', '--json']))"
    )
    done = in_a_process(code=code)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "kaspa_node"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("kaspa-node: ")
