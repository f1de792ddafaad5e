"""All of a configuration is applied, or nothing: whatever is in the way, the node goes on as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from kaspa_node import milestones
from kaspa_node.errors import ConfigError, IdentityError, ListenError
from kaspa_node.identity import KEY_FILE, encode
from kaspa_node.node.reload import Commit, Reloader
from kaspa_node.settings import AllowList, Settings
from tests.unit.kaspa.shells import RecordingJournal
from tests.unit.p2p.parties import peer_id, seed

pytestmark = pytest.mark.trio

BEFORE: dict[str, Any] = {"role": "peer", "log_level": "debug"}


class Node:
    """Stands for a running peer. found: what its configuration says, or why it can't be read; went_by: in order."""

    def __init__(self, state_dir: Path) -> None:
        self.started = Settings(state_dir=state_dir, **BEFORE)
        self.found: Settings | ConfigError = self.started
        self.obstacle: ListenError | None = None
        self.went_by: list[Settings] = []
        self.ready = trio.Event()
        self.ready.set()
        self.journal = RecordingJournal()
        self.reloader = Reloader(self.started, peer_id(1), self._load, self._prepare, self.journal)

    def says(self, **settings: Any) -> None:
        self.found = Settings(**(BEFORE | {"state_dir": self.started.state_dir} | settings))

    def _load(self) -> Settings:
        if isinstance(self.found, ConfigError):
            raise self.found
        return self.found

    async def _prepare(self, settings: Settings) -> Commit:
        await self.ready.wait()
        if self.obstacle is not None:
            raise self.obstacle
        return lambda: self.went_by.append(settings)

    @property
    def as_it_was(self) -> bool:
        return not self.went_by and self.reloader.settings is self.started


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    put_key(tmp_path, 1)
    logger = logging.getLogger("kaspa_node")
    level = logger.level
    yield Node(tmp_path)
    logger.setLevel(level)


def put_key(directory: Path, number: int) -> None:
    key = directory / KEY_FILE
    key.write_bytes(encode(seed(number)))
    key.chmod(0o600)


async def test_what_differs_is_applied_and_told(node: Node) -> None:
    node.says(allow=AllowList(any=True), log_level="warning")
    assert await node.reloader.reload() == {"applied": ["allow", "log_level"], "restart": []}
    assert node.went_by == [node.found]
    assert node.reloader.settings is node.found
    assert logging.getLogger("kaspa_node").level == logging.WARNING
    assert node.journal.of(milestones.NODE_RELOADED.name) == {"applied": "allow, log_level"}


async def test_nothing_that_differs_is_nothing_to_do(node: Node) -> None:
    assert await node.reloader.reload() == {"applied": [], "restart": []}
    assert node.as_it_was
    assert node.journal.of(milestones.NODE_RELOADED.name) == {"applied": "nothing, all is the same"}


async def test_with_what_needs_a_restart_nothing_is_applied(node: Node) -> None:
    node.says(allow=AllowList(any=True), network="simnet")
    assert await node.reloader.reload() == {"applied": [], "restart": ["network"]}
    assert node.as_it_was
    assert node.journal.of(milestones.NODE_RELOAD_REFUSED.name) == {"reason": "only a restart changes network"}


async def test_a_configuration_that_cannot_be_used_changes_nothing(node: Node) -> None:
    node.found = ConfigError("network", "testnet", "peer.toml", "is not known", "one of …")
    with pytest.raises(ConfigError):
        await node.reloader.reload()
    assert node.as_it_was
    assert node.journal.of(milestones.NODE_RELOAD_REFUSED.name) == {"reason": str(node.found)}


async def test_what_cannot_be_got_ready_changes_nothing(node: Node) -> None:
    node.says(allow=AllowList(any=True))
    node.obstacle = ListenError("127.0.0.1:16211", "the port is in use", "set another")
    with pytest.raises(ListenError):
        await node.reloader.reload()
    assert node.as_it_was


async def test_whoever_asks_may_hang_up_meanwhile(node: Node) -> None:
    node.says(allow=AllowList(any=True))
    node.ready = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.reloader.reload)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert node.as_it_was


async def test_another_key_in_the_file_needs_a_restart(node: Node) -> None:
    put_key(node.started.state_dir, 2)
    node.says(allow=AllowList(any=True))
    assert await node.reloader.reload() == {"applied": [], "restart": ["identity"]}
    assert node.as_it_was


async def test_a_key_file_that_is_gone_is_told_before_a_restart_makes_another(node: Node) -> None:
    (node.started.state_dir / KEY_FILE).unlink()
    with pytest.raises(IdentityError, match="is missing"):
        await node.reloader.reload()
