"""What a task shows, for people and as one JSON document."""

from __future__ import annotations

import io
import json

from operations.problems import HostProblem, OperationProblem, UsageProblem
from operations.report import Report, harmless


def report(**options: bool) -> tuple[Report, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Report("restart", out=out, err=err, **options), out, err


def test_what_went_well() -> None:
    it, out, err = report()
    it.changed("kaspa-peer restarted", "client")
    it.table("sessions", ("host", "path"), [("client", "direct"), ("server", None)])
    assert it.finish() == 0
    assert out.getvalue().splitlines() == [
        *("client: kaspa-peer restarted", "sessions:", "  host    path", "  client  direct", "  server  -")
    ]
    assert err.getvalue() == ""


def test_problems_are_lines_of_standard_error_and_the_worst_is_the_exit_code() -> None:
    it, out, err = report()
    it.problems_of({"a": OperationProblem("no answer", "a"), "b": HostProblem("away", "b"), "c": "fine"})
    assert it.finish() == 2
    assert (out.getvalue(), err.getvalue().splitlines()) == ("", ["a: no answer", "b: away"])


def test_failure_without_a_problem() -> None:
    it, _, _ = report()
    it.failed()
    assert it.finish() == 1


def test_one_json_document_and_nothing_else() -> None:
    it, out, err = report(as_json=True)
    it.say("for people")
    it.host("client", {"pid": 7})
    it.changed("kaspa-peer restarted", "client")
    it.problem(UsageProblem("no host 'nix'"))
    it.add("verdict", "PASS")
    assert it.finish() == 2
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {
        "task": "restart",
        "ok": False,
        "hosts": {"client": {"pid": 7}},
        "problems": [{"host": None, "problem": "no host 'nix'"}],
        "changed": [{"host": "client", "change": "kaspa-peer restarted"}],
        "verdict": "PASS",
    }
    assert err.getvalue() == ""


def test_a_dry_run_says_so() -> None:
    it, out, _ = report(dry_run=True)
    it.changed("kaspa-peer restarted", "client")
    assert out.getvalue() == "client: dry run, not done: kaspa-peer restarted\n"
    it, out, _ = report(dry_run=True, as_json=True)
    it.finish()
    assert json.loads(out.getvalue())["dry_run"] is True


def test_nothing_reaches_a_terminal_that_is_no_character() -> None:
    assert harmless("a\x1b[2Jb\x07\u202e\t\U000e0001") == "a\\x1b[2Jb\\x07\\u202e    \\U000e0001"
    it, out, err = report()
    it.say("one\x1b[31m\ntwo\r")
    it.table("t", ("x",), [("\x1b]0;title\x07",)])
    it.problem(OperationProblem("bad\x1bthing"))
    assert not set(out.getvalue() + err.getvalue()) & {"\x1b", "\x07", "\r"}
