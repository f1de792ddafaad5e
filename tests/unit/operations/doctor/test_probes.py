"""The programs that are sent to hosts, as far as they can be tried without one."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from operations.doctor.gather import PROBES, command
from operations.doctor.probes import knock, look, reach, watch
from operations.supervisor import PYTHON

SHOW = """LoadState=loaded
ActiveState=activating
SubState=auto-restart
ExecMainStatus=2
NRestarts=4
MainPID=0
InvocationID=ab
FreezerState=running
Environment=PYTHONUNBUFFERED=1 "KASPA_NODE_NETWORK=simnet"
"""
SS = (
    "0      0            203.0.113.10:22         203.0.113.20:51234 cubic bytes_acked:42 bytes_received:97 segs_out:3\n"
    "0      0      [::ffff:203.0.113.10]:22 [::ffff:203.0.113.30]:33001 cubic bytes_received:143\n"
    "0      0            203.0.113.10:22         203.0.113.99:51234 cubic bytes_received:3971\n"
)


@pytest.mark.parametrize("probe", sorted(PROBES.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_probe_stands_alone(probe: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(probe.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_a_probe_goes_to_the_host_as_a_command_line() -> None:
    words = command("reach", {"addresses": [], "seconds": 1})
    assert words[0] == PYTHON
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {}


def test_a_unit_that_is_started_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "output", lambda argv: (0, SHOW, ""))
    service = look.systemd_service("kaspa-peer")
    assert (service["state"], service["exit_status"], service["restarts"], service["pid"]) == ("activating", 2, 4, 0)
    assert look.variables(service) == {"KASPA_NODE_NETWORK": "simnet"}


def test_a_unit_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "output", lambda argv: (0, "LoadState=not-found\nActiveState=inactive\n", ""))
    assert look.systemd_service("kaspa-peer")["state"] == "not-found"


@pytest.mark.parametrize(("state", "count"), [("active", 2), ("inactive", 4)])
def test_what_a_plain_process_logged_before_its_restart_says_nothing_about_it_now(
    state: str, count: int, tmp_path: Path
) -> None:
    start = "2026-11-23 07:48:34.332+00:00 [INFO ] libp2p peer peer id: 12D3 milestone=node.started kind=peer peer=12D3"
    lines = [start, "rejected milestone=kaspa.handshake.failed", start, "listening milestone=node.listening addr=/ip4"]
    (tmp_path / "kaspa-peer.log").write_text("\n".join(lines))
    wanted = {"manager": "process", "directory": str(tmp_path), "service": "kaspa-peer"}
    assert look.log_lines(wanted, {"state": state}) == lines[-count:]


def test_a_plain_process_whose_number_has_another_now_does_not_run(tmp_path: Path) -> None:
    born = int(look.process_state(os.getpid())[19])
    record = tmp_path / "kaspa-peer.json"
    record.write_text(json.dumps({"pid": os.getpid(), "born": born}))
    assert look.plain_process("kaspa-peer", str(tmp_path))["state"] == "active"
    record.write_text(json.dumps({"pid": os.getpid(), "born": born + 1}))
    assert look.plain_process("kaspa-peer", str(tmp_path))["state"] == "inactive"
    assert look.plain_process("kaspa-relay", str(tmp_path))["state"] == "inactive"


def test_no_key_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(argv: list[str]) -> tuple[int, str, str]:
        raise AssertionError(argv)

    monkeypatch.setattr(look, "output", never)
    assert look.key_id({"key": str(tmp_path / "identity.key"), "identity": ["kaspa-node", "identity"]}) is None


def test_the_last_words_are_those_that_tell_of_trouble() -> None:
    fine = "2026-11-23 07:48:33.746+00:00 [INFO ] libp2p relay peer id: 12D milestone=node.started kind=relay"
    assert look.last_words([fine, "kaspa-node: relays: no", fine, ""]) == "kaspa-node: relays: no"
    assert look.last_words([fine]) == ""


def test_only_lines_with_a_milestone_that_is_asked_for_are_sent() -> None:
    lines = ["a milestone=punch.failed x=1", "b milestone=punch.failed2", "c", "d milestone=node.started"]
    assert look.worth_sending(lines, ["punch.failed", "node.started"], 1) == [lines[3]]
    assert look.worth_sending(lines, ["punch.failed", "node.started"], 9) == [lines[0], lines[3]]


def test_the_relays_kernel_knows_connections_by_their_bytes() -> None:
    found = watch.seen(SS, [97, 143])
    assert found == {"97": "203.0.113.20:51234", "143": "[::ffff:203.0.113.30]:33001"}


@pytest.mark.network
def test_what_is_open_what_is_refused_and_what_has_no_name(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket() as unused,
        socket.socket(socket.AF_UNIX) as local,
    ):
        unused.bind(("127.0.0.1", 0))
        local.bind(str(tmp_path / "backend.sock"))
        local.listen()
        there, nobody = (f"127.0.0.1:{each.getsockname()[1]}" for each in (server, unused))
        unix = f"unix:{tmp_path}/backend.sock"
        assert reach.try_all([there, nobody, unix], 5.0) == {there: "open", nobody: "refused", unix: "open"}


@pytest.mark.network
def test_a_knock_leaves_from_the_port_that_the_node_listens_on(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as node, socket.create_server(("127.0.0.1", 0)) as relay:
        node.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        node.bind(("127.0.0.1", 0))
        node.listen()
        port, at = node.getsockname()[1], f"127.0.0.1:{relay.getsockname()[1]}"
        wanted: dict[str, Any] = {"addresses": [at], "host": "127.0.0.1", "port": port, "pid": os.getpid()}
        wanted |= {"bytes": 97, "seconds": 5.0, "hold": 5.0}
        knocking = threading.Thread(target=knock.main, args=(wanted,))
        knocking.start()
        caller, (_, seen) = relay.accept()
        with caller:
            assert seen == port
            assert _exactly(caller, 97).startswith(knock.GREETING)
        knocking.join()
    assert json.loads(capsys.readouterr().out) == {"address": at}


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += sock.recv(count - len(data))
    return data
