"""A process with sessions ends when it is told to: no thread keeps it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = textwrap.dedent(
    """
    import sys
    import trio
    from kaspa_node.journal import Journal
    from kaspa_node.kaspa.config import Transport, KaspaConfig
    from kaspa_node.kaspa.service import KaspaService

    def transport(session, direction):
        return Transport(session, "peer", "direct", direction, "[fdff::1]:40000")

    async def main(path):
        client, server = KaspaService(KaspaConfig(), Journal()), KaspaService(KaspaConfig(), Journal())
        async with trio.open_nursery() as nursery:
            await nursery.start(client.run)
            await nursery.start(server.run)
            await nursery.start(server.serve, path, lambda caller: transport("in.1", "incoming"))
            session = await client.connect("unix:" + path, transport("out.1", "outgoing"))
            await session.ping(10, 30)
            print("ready", flush=True)
            if sys.argv[2] == "error":
                raise RuntimeError("something else broke")
            nursery.cancel_scope.cancel()
        print("stopped", flush=True)

    trio.run(main, sys.argv[1])
    """
)


def run(tmp_path: Path, how: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "kaspa.sock"), how]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_process_ends_when_cancelled(tmp_path: Path) -> None:
    done = run(tmp_path, "cancel")
    assert (done.returncode, done.stdout.split()) == (0, ["ready", "stopped"]), done.stderr


def test_the_process_ends_when_something_else_breaks(tmp_path: Path) -> None:
    done = run(tmp_path, "error")
    assert done.returncode == 1
    assert done.stdout.split() == ["ready"]
    assert "something else broke" in done.stderr
