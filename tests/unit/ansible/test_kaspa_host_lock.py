"""The lock on a host: one run at a time, whoever is first."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_host_lock as lock


def holder(run: str) -> dict[str, str]:
    return {"id": run, "who": "ann@laptop", "what": "deploy.yml", "since": "2026-11-30T23:12:05Z"}


ANN, BOB = holder("laptop:1:1"), holder("desk:2:2")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run" / "kaspa-node.lock")


def test_the_first_run_has_it_and_the_second_is_told_who(path: str) -> None:
    assert lock.look(path) is None
    assert lock.take(path, ANN) == ANN
    assert lock.take(path, BOB) == ANN
    assert lock.look(path) == ANN
    assert [file.name for file in Path(path).parent.iterdir()] == ["kaspa-node.lock"]


def test_only_its_holder_gives_it_back(path: str) -> None:
    lock.take(path, ANN)
    lock.release(path, BOB["id"])
    assert lock.look(path) == ANN
    lock.release(path, ANN["id"])
    assert lock.look(path) is None
    lock.release(path, ANN["id"])


def test_a_dead_runs_lock_is_replaced_and_no_other(path: str) -> None:
    lock.take(path, ANN)
    assert lock.take(path, BOB, instead_of="another") == ANN
    assert lock.take(path, BOB, instead_of=ANN["id"]) == BOB


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"id": "a"}'])
def test_a_damaged_lock_is_a_lock(path: str, text: str) -> None:
    Path(path).parent.mkdir()
    Path(path).write_text(text)
    assert lock.take(path, ANN)["who"] == "unknown"
    assert lock.take(path, ANN, instead_of="unknown") == ANN


def test_of_many_at_once_one_gets_it(path: str) -> None:
    runs = [holder(f"desk:{number}:0") for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda run: lock.take(path, run), runs))
    assert len({run["id"] for run in got}) == 1


def test_of_many_that_find_a_dead_runs_lock_one_gets_it(path: str) -> None:
    for _ in range(50):
        lock.take(path, ANN, instead_of=(lock.look(path) or ANN)["id"])
        runs = [holder(f"desk:{number}:0") for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda run: lock.take(path, run, instead_of=ANN["id"])["id"] == run["id"], runs))
        assert got.count(True) == 1


def program(*words: str) -> Any:
    done = subprocess.run([sys.executable, "-I", lock.__file__, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["holder"]


def test_as_a_program(path: str) -> None:
    assert program("look", path) is None
    assert program("take", path, json.dumps(ANN)) == ANN
    assert program("take", path, json.dumps(BOB)) == ANN
    assert program("take", path, json.dumps(BOB), ANN["id"]) == BOB
    assert program("release", path, BOB["id"]) is None
