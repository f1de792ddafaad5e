"""Bad input of every task, as far as it shows without a host: one line, exit code 2, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

import fabfile
from tests.fabric import ON_CONTROLLER, ON_HOST, here, words
from tests.playbooks import ROOT

TASKS = sorted(ON_HOST)


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)


def complaint(capsys: pytest.CaptureFixture[str], *typed: str) -> str:
    """The one line."""
    done = here(capsys, *typed)
    assert (done.code, done.out) == (2, ""), done
    (line,) = done.complaints
    return line


def test_every_task_is_tried() -> None:
    assert {name.replace("_", "-") for name in fabfile.__all__} == {*ON_HOST, *ON_CONTROLLER}


@pytest.mark.parametrize("task", TASKS)
def test_an_unknown_host(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = complaint(capsys, *words(task, "nobody", tmp_path))
    assert said == "no host 'nobody' in inventory/lab; it has relay, server, client"


@pytest.mark.parametrize("task", TASKS)
def test_no_inventory(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = complaint(capsys, *words(task, "client", tmp_path), "--inventory", "inventory/nowhere")
    assert said == "no inventory inventory/nowhere; name one with --inventory, as inventory/lab"


@pytest.mark.parametrize("task", [*TASKS, *ON_CONTROLLER])
def test_a_time_limit_that_is_none(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    typed = words(task, "client", tmp_path) if task in ON_HOST else [task]
    assert complaint(capsys, *typed, "--timeout", "soon") == "--timeout 'soon' is not a number from 0.1 to 86400"


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9", ""])
def test_seconds_that_are_none(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "status", f"--timeout={seconds}")
    assert said == f"--timeout '{seconds}' is not a number from 0.1 to 86400"


@pytest.mark.parametrize("task", [*TASKS, *ON_CONTROLLER])
def test_an_unknown_option(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    typed = words(task, "client", tmp_path) if task in ON_HOST else [task]
    said = complaint(capsys, *typed, "--bogus")
    assert said == "fab: No idea what '--bogus' is; see fab --list, fab --help TASK"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("all: [", "the inventory {} can't be read: While parsing a flow node"),
        ("", "the inventory {} has no hosts in its groups relays and peers"),
        ("web:\n  hosts:\n    www:\n", "the inventory {} has no hosts in its groups relays and peers"),
        ("peers:\n  hosts:\n    a:\n      ansible_connection: docker\n", "a: ansible_connection is docker; "),
        (
            "peers:\n  hosts:\n    a:\n      ansible_user: '{{ nobody }}'\n",
            "the inventory {} can't be read: Error processing keyword 'remote_user': 'nobody' is undefined",
        ),
    ],
    ids=["no YAML", "empty", "others' hosts", "a connection that is not ours", "a variable that is nowhere"],
)
def test_an_inventory_that_is_none(content: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "hosts.yml"
    file.write_text(content)
    assert complaint(capsys, "status", "--inventory", str(file)).startswith(said.format(file))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "dial client",
            "fab: 'dial' did not receive required positional arguments: 'b'; see fab --list, fab --help TASK",
        ),
        ("dial server client", "server does not dial client, client dials server: fab dial client server"),
        ("dial client client", "client can't be both ends of a session; name two peers"),
        ("dial relay client", "relay is a relay, not a peer; peers are server, client"),
        ("dial client server --policy fastest", "--policy 'fastest' is none of prefer-direct, direct-only, relay-only"),
        ("dial client server --timeout 601", "--timeout 601 is more than the 600 s that a dial may take"),
        ("capture client relay", "relay is a relay, not a peer; peers are server, client"),
        ("capture client server --seconds 0", "--seconds '0' is not a number from 1 to 3600"),
        ("capture client server --megabytes 513", "--megabytes '513' is not a number from 0.01 to 512"),
        ("capture client server --pings 1.5", "--pings '1.5' is not a whole number from 1 to 100000"),
        (
            "rotate-key",
            "fab: 'rotate-key' did not receive required positional arguments: 'host'; see fab --list, fab --help TASK",
        ),
        ("backup-keys", "name the file of the backup: --to FILE or --to DIRECTORY"),
        ("restore-keys", "say which backup: --from FILE"),
        ("-H client status", "hosts come from the inventory: use --host NAME after the task, not -H before it"),
        ("frobnicate", "fab: No idea what 'frobnicate' is; see fab --list, fab --help TASK"),
    ],
)
def test_what_only_one_task_knows(typed: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, *typed.split()) == said


@pytest.mark.parametrize("task", [*TASKS, *ON_CONTROLLER])
def test_help_may_stand_behind_the_task(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, task, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: fab [--core-opts] {task} [--options]")


def test_with_json_the_line_is_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "dial", "client", "nobody", "--json")
    assert (done.code, done.err) == (2, "")
    assert done.document == {
        "task": "dial",
        "ok": False,
        "hosts": {},
        "problems": [{"host": None, "problem": "no host 'nobody' in inventory/lab; it has relay, server, client"}],
        "changed": [],
    }
