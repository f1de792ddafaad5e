"""What all tasks have in common, as a user meets it: a fabfile of its own with tasks that show what they were given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fabric.main import make_program

from operations.operation import number
from operations.problems import UsageProblem
from tests.fabric import FAB, Done, environ
from tests.fabric import fab as run_fab
from tests.playbooks import ROOT

FABFILE = '''
from operations import command_line
from operations.operation import Call, number, operation
from operations.problems import HostProblem, OperationProblem

@operation(timeout=12, words=("a", "b"), help={"a": "who dials"})
def two_words(call: Call, a: str = "", b: str = "", lines: str | None = None, follow: bool = False) -> None:
    """Optional words."""
    call.report.say(repr((a, b, lines, follow, call.timeout, call.limit, call.sources, call.dry_run)))

@operation(changes=True)
def required(call: Call, name: str) -> None:
    """A word that must be there."""
    call.report.changed(f"done with {name}", name)

@operation()
def fails(call: Call, how: str) -> None:
    """Every way to fail."""
    if how == "interrupt":
        raise KeyboardInterrupt
    raise {"problem": OperationProblem("it\\nbroke", "client"), "host": HostProblem("away", "client")}[how]

@operation()
def hosts(call: Call) -> None:
    """The inventory's hosts."""
    call.report.say(", ".join(call.inventory.nodes))

@operation()
def chatty(call: Call) -> None:
    """More than anybody reads."""
    for number in range(100_000):
        call.report.say("line")

command_line.install()
'''


Fab = Callable[..., Done]


@pytest.fixture
def fab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fab:
    """Runs `fab WORDS` in this very process, where it takes a few milliseconds; further variables by name."""
    (tmp_path / "fabfile.py").write_text(FABFILE)
    monkeypatch.chdir(ROOT)
    for name in set(os.environ) - set(environ()):
        monkeypatch.delenv(name)

    def fab(*words: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            make_program().run(["fab", "--search-root", str(tmp_path), *words])
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return fab


def test_an_inventory_may_have_several_sources(fab: Fab, tmp_path: Path) -> None:
    for place, name in enumerate(("relays", "peers")):
        (tmp_path / f"{place}.yml").write_text(json.dumps({name: {"hosts": {f"host{place}": {}}}}))
    done = fab("hosts", "-i", f"{tmp_path}/0.yml", "--inventory", f"{tmp_path}/1.yml")
    assert (done.code, done.out, done.err) == (0, "host0, host1\n", "")


def test_words_may_be_left_out(fab: Fab) -> None:
    done = fab("two-words")
    assert (done.code, done.out) == (0, "('', '', None, False, 12, None, (), False)\n")
    assert fab("two-words", "x").out.startswith("('x', '', None")


def test_words_and_options_in_any_order(fab: Fab) -> None:
    done = fab("two-words", "x", "-n", "5", "y", "-f", "--timeout", "3", "-i", "some/where")
    assert done.out == "('x', 'y', '5', True, 3.0, 3.0, ('some/where',), False)\n"


def test_two_tasks_in_one_call(fab: Fab) -> None:
    done = fab("two-words", "x", "y", "two-words")
    assert done.out.startswith("('x', 'y', ")
    # The first task ends the program with its exit code: each is a call of its own.
    assert done.out.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["two-words", "x", "y", "z"], "fab: No idea what 'z' is; see fab --list, fab --help TASK"),
        (["two-words", "--nix"], "fab: No idea what '--nix' is; see fab --list, fab --help TASK"),
        (["required"], "fab: 'required' did not receive required positional arguments: 'name'; see fab --list,"),
        (["two-words", "-t", "soon"], "--timeout 'soon' is not a number from 0.1 to 86400"),
        (["two-words", "-t", "0"], "--timeout '0' is not a number from 0.1 to 86400"),
        (["two-words", "--timeout"], "fab: Flag <Argument: timeout (t)> needed value and was not given one"),
        (["-H", "a", "two-words"], "hosts come from the inventory: use --host NAME after the task, not -H before it"),
        (["hosts", "-i", "no/where"], "no inventory no/where; name one with --inventory, as inventory/lab"),
        (["fails", "host"], "client: away"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(fab: Fab, words: list[str], said: str) -> None:
    done = fab(*words)
    assert (done.code, done.out, len(done.complaints)) == (2, "", 1)
    assert done.complaints[0].startswith(said)


def test_failure_is_exit_code_1(fab: Fab) -> None:
    done = fab("fails", "problem")
    assert (done.code, done.complaints) == (1, ["client: it broke"])


def test_interruption_is_exit_code_130(fab: Fab) -> None:
    done = fab("fails", "interrupt")
    assert (done.code, done.complaints) == (130, ["interrupted; what ran on the hosts was ended"])


def test_with_json_standard_output_is_one_document_whatever_happens(fab: Fab) -> None:
    for words in (["fails", "problem"], ["required", "x"], ["hosts", "-i", "no/where"], ["two-words", "-t", "x"]):
        done = fab(*words, "--json")
        assert (done.document["task"], done.complaints) == (words[0], [])
        assert done.document["ok"] is (done.code == 0)


def test_a_dry_run(fab: Fab) -> None:
    assert fab("required", "x", "--dry-run").out == "x: dry run, not done: done with x\n"
    found = json.loads(fab("required", "x", "--dry-run", "--json").out)
    assert (found["dry_run"], found["changed"]) == (True, [{"host": "x", "change": "done with x"}])


def test_a_task_that_changes_nothing_has_no_dry_run(fab: Fab) -> None:
    assert fab("two-words", "--dry-run").code == 2


def test_another_inventory(fab: Fab) -> None:
    assert fab("hosts", "--inventory", "inventory/example").out == "relay, server, workstation\n"


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, "relay, server, client"),
        ({"ANSIBLE_INVENTORY": str(ROOT / "inventory/example")}, "relay, server, workstation"),
    ],
)
def test_the_inventory_from_anywhere(tmp_path: Path, more: dict[str, str], names: str) -> None:
    (tmp_path / "fabfile.py").write_text(FABFILE)
    done = run_fab("hosts", more={"PYTHONPATH": str(ROOT), **more}, cwd=tmp_path)
    assert (done.code, done.out) == (0, f"{names}\n")


def test_help(fab: Fab) -> None:
    done = fab("--help", "two-words")
    assert "-t STRING, --timeout=STRING   seconds for each host (default: 12)" in done.out
    assert "who dials" in done.out
    assert "two-words" in fab("--list").out
    for words in (["two-words", "--help"], ["required", "--help"], ["two-words", "x", "-h"]):
        asked = fab(*words)
        assert (asked.code, asked.complaints) == (0, [])
        assert asked.out.startswith(f"Usage: fab [--core-opts] {words[0]} ")


def test_a_reader_that_has_read_enough(tmp_path: Path) -> None:
    (tmp_path / "fabfile.py").write_text(FABFILE)
    with subprocess.Popen(
        [FAB, "chatty"],
        cwd=tmp_path,
        env=environ({"PYTHONPATH": str(ROOT)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("2.5", 2.5), ("1e2", 100.0)])
def test_numbers(text: str, value: float) -> None:
    assert number(text, "--x", least=1, most=100) == value


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "0.5", "101", "2.5"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(UsageProblem, match="^--x .* is not a whole number from 1 to 100$"):
        number(text, "--x", least=1, most=100, whole=True)


def test_the_tasks_load_nothing_that_they_may_not_need() -> None:
    """`fab status` should feel instant; each of these takes longer to load than a host to answer."""
    words = "import sys, fabfile; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(loaded.stdout.split()) & {"ansible", "grpc", "libp2p", "trio"} == set()


def test_a_configuration_of_ssh_that_is_damaged_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("garbage\n")
    (tmp_path / "hosts.ini").write_text(f"[peers]\nserver ansible_ssh_args='-F {tmp_path}/config'\n")
    done = run_fab("status", "--inventory", str(tmp_path / "hosts.ini"))
    said = f"server: can't reach server: ssh says: {tmp_path}/config: terminating, 1 bad configuration options"
    assert (done.code, done.complaints) == (2, [said])
