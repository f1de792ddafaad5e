"""`fab dial` on the deployed lab: a fresh session is made and told, and one that is not as wanted is a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.command import run
from tests.fabric import fab
from tests.lab.scenes import cut, in_place, on, stopped, uncut

pytestmark = pytest.mark.usefixtures("deployed")

NODE = "/opt/kaspa-node/bin/kaspa-node"


@pytest.fixture
def direct_again() -> Iterator[None]:
    """Afterwards there is a direct session again, whatever happened."""
    yield
    assert fab("dial", "client", "server").code == 0


def session(name: str = "client") -> dict[str, Any]:
    """The one session of a peer, by the peer itself."""
    (row,) = json.loads(on(name, f"{NODE} status --json"))["sessions"]
    found: dict[str, Any] = row
    return found


def test_a_fresh_session_takes_the_place_of_the_old_one() -> None:
    before = session()["session"]
    done = fab("dial", "client", "server")
    after = session()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        f"client: the session {before} with server is ended for a fresh one\n"
        f"client: a fresh session with server: {after['session']}\n"
        f"Ready over the direct path with {after['peer_id']}\n"
    )
    assert "punch    succeeded, attempt 1\ntimings  relayed dial 0." in done.out
    assert (after["session"] != before, after["path"]) == (True, "direct")
    assert session("server")["session"] == after["session"]


def test_a_dry_run_leaves_the_session_alone() -> None:
    before = session()
    done = fab("dial", "client", "server", "--dry-run")
    assert (done.code, done.out) == (
        0,
        f"client: dry run, not done: the session {before['session']} with server is ended for a fresh one\n",
    )
    assert session()["session"] == before["session"]


@pytest.mark.usefixtures("direct_again")
def test_over_the_relay_where_that_is_wanted_as_json() -> None:
    done = fab("dial", "client", "server", "--policy", "relay-only", "--json")
    document, after = done.document, session()
    assert (done.code, document["ok"], document["problems"], after["path"]) == (0, True, [], "relayed")
    assert document["hosts"]["client"]["session"] == after["session"]
    assert document["hosts"]["client"]["punch"]["reason"] == "the policy is relay-only"
    assert document["changed"][-1] == {"host": "client", "change": f"a fresh session with server: {after['session']}"}


@pytest.mark.usefixtures("direct_again")
def test_relayed_though_a_direct_one_was_wanted() -> None:
    run(cut("drop"))
    try:
        done = fab("dial", "client", "server")
    finally:
        uncut()
    assert (done.code, session()["path"]) == (1, "relayed")
    assert "Ready over the relayed path" in done.out
    (line,) = done.complaints
    assert re.fullmatch(
        r"client: relayed, not direct: timeout after 4 s \(203\.0\.113\.30:\d+: no answer\); "
        "try: fab doctor client server",
        line,
    )


@pytest.mark.usefixtures("direct_again")
def test_no_session_says_why_and_leaves_nothing_running() -> None:
    with stopped("server"):
        done = fab("dial", "client", "server", "--timeout", "3")
        left = in_place("client", "kaspa_node session")
    assert done.code == 1
    (line,) = done.complaints
    assert line.startswith("client: no session within 3 s: ")
    assert left == []
