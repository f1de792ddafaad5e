"""What the tests of a deployed lab share: one deploy for all of them."""

from __future__ import annotations

from functools import partial

import pytest

from lab import booted
from lab.lock import exclusive
from lab.paths import Paths
from tests import fabric
from tests.playbooks import ROOT, play


@pytest.fixture
def fab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> fabric.Fab:
    """Runs `fab WORDS` in this process, for the inventory that is the default."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)
    return partial(fabric.here, capsys)


@pytest.fixture(scope="module")
def deployed() -> None:
    """Hosts with a direct session between the peers, as `make demo` leaves them; each test leaves them so.

    A lab that is up, deployed and untouched is taken as it is; else fresh hosts are deployed to. Each file asks anew,
    because some need hosts of another kind and take these down.
    """
    if untouched():
        return
    with exclusive():
        booted.up(Paths(), fresh=True)
    played = play("deploy.yml", "lab")
    assert played.exit_code == 0, played.output[-4000:]


def untouched() -> bool:
    """Whether this checkout's lab is up, with plain NATs, and its client has a direct session that is ready."""
    state = booted.State.read(Paths())
    if state is None or booted.owner_of_running_lab() != Paths().checkout or set(state.nat.values()) != {"plain"}:
        return False
    done = fabric.fab("status", "--json", "--inventory", "inventory/lab")
    if done.code != 0:
        return False
    sessions = done.document["hosts"]["client"]["status"]["sessions"]
    return [(each["path"], each["state"]) for each in sessions] == [("direct", "ready")]
