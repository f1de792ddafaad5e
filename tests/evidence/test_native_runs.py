"""Real runs of native programs, on both sides and on one: judged right, taken apart, mixed, and lied about."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from tests.evidence.changes import changed_fields, named, other, place, put, values, without
from tests.evidence.corpus import (
    DIRECT,
    NATIVE,
    NATIVE_CLIENT,
    NATIVE_DOWN,
    NATIVE_LATER,
    NATIVE_PASSING,
    NATIVE_RELAYED,
    NATIVE_SERVER,
    RELAY_ONLY,
    recorded,
)
from tests.evidence.forgeries import all_claims, punch_lines, root_on
from tests.evidence.judging import PASSING, UNUSABLE, Workbench
from tests.evidence.native_doctors import caller, index
from tests.evidence.test_every_piece import FREE, is_free_line
from tests.unit.evidence.builder import Evidence

# Some of these judge a run hundreds of times, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)
passing = pytest.mark.parametrize("name", NATIVE_PASSING)

# Beside what no verdict rests on (test_every_piece): what native programs say of themselves, what only the look while
# the session stood needs, and what another piece proves as well.
FREE_HERE = (
    r"|run/session/session|run/exercise(/error)?|\w+/\w+/status/backend/(state|reason|checked)|run/hosts/\w+/unreachable"
    r"|\w+/during/status/(role|version|pid|since|network|listen|counters|relays|remotes)(/(?!0/(listen|peer_id)).*)?"
    r"|client/\w+/status/backend(/.*)?|\w+/during/status/sessions/0/(address|since|applied_protocol|user_agent|run)"
    r"|\w+/during/status/sessions/0/(local|remote|bytes_\w+)|\w+/\w+/(native/)?sockets/\d/(bytes_sent|inode|pids(/0)?)"
    r"|\w+/during/sockets/[01]/(bytes_\w+|cgroup)|server/during/status/relays/0/peer_id|\w+/\w+/error"
    r"|client/during/status/relays/0/peer_id|server/during/status/remotes"
)
# Of a native client's session these two looks show only what was there before it, or is still there.
BESIDE = (
    r"|\w+/(before|after)/status/(sessions|backend)(/.*)?|client/before/native(/.*)?|\w+/after/native(/.*)?"
    r"|\w+/after/sockets/2/.*|\w+/during/native/sockets/0/cookie|\w+/during/sockets/2/cookie|\w+/after/sockets/2"
    r"|server/before/native/sockets|client/during/native/service/(pid|invocation)"
)
FREE_OF = {NATIVE: FREE_HERE + BESIDE, NATIVE_CLIENT: FREE_HERE + BESIDE + r"|server/during/sockets(/.*)?"}
# The pings are counted on the direct connection; of the local socket both looks show the bytes of its whole life.
FREE_OF[NATIVE_SERVER] = FREE_HERE + r"|server/before/(native/sockets/0|sockets/2)/bytes_\w+"
STEPS = re.compile(r"\] (accepted (version|verack|ready)|P2P Connected)")
FREE_LINES = re.compile(r" milestone=(path\.ready|backend\.\w+|stream\.closed) ")


def free(name: str, more: str = "") -> re.Pattern[str]:
    return re.compile(FREE + FREE_OF[name] + more)


@pytest.mark.parametrize(
    ("name", "verdict", "path", "exit_code"),
    [
        (NATIVE, "PASS", "direct", 0),
        (NATIVE_LATER, "PASS", "direct", 0),
        (NATIVE_CLIENT, "PASS", "direct", 0),
        (NATIVE_SERVER, "PASS", "direct", 0),
        (NATIVE_RELAYED, "RELAYED", "relayed", 0),
        (NATIVE_DOWN, "FAIL", "none", 1),
    ],
)
def test_each_run_is_judged_right(name: str, verdict: str, path: str, exit_code: int, workbench: Workbench) -> None:
    report = workbench.judge(recorded(name))
    assert (report["verdict"], report["path"], report["exit_code"]) == (verdict, path, exit_code)


def test_relayed_where_direct_was_expected_is_a_failure(workbench: Workbench) -> None:
    report = workbench.judge(recorded(NATIVE_RELAYED), "direct")
    assert (report["verdict"], report["exit_code"]) == ("FAIL", 3)


@passing
def test_without_any_one_value_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = recorded(name)
    null = r"|run/session/punch/attempts|\w+/(before|after|during)/status/(relays|reservations|remotes)/\d"
    needed = [
        at for at in values(evidence) if not free(name, null).fullmatch(named(at)) and place(evidence, at) is not None
    ]
    assert [named(at) for at in needed if workbench.verdict(without(evidence, at)) in PASSING] == []
    assert len(needed) > 200


@passing
def test_with_any_one_value_changed_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = recorded(name)
    more = r"|run/(ended|inventory)|run/hosts/\w+/role|\w+/\w+/status/(relays|reservations)/\d/peer_id"
    fixed = [
        at for at in values(evidence) if not free(name, more).fullmatch(named(at)) and place(evidence, at) is not None
    ]
    passed = [named(at) for at in fixed if workbench.verdict(put(evidence, at, other(place(evidence, at)))) in PASSING]
    assert passed == []
    assert len(fixed) > 200


@passing
def test_without_any_one_line_or_field_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = recorded(name)
    run = re.compile(rf" conn=(\S+) .*run={evidence.run['run_id']}")
    ids = {found[1] for line in evidence.journals["client"] if (found := run.search(line))}
    for host in ("server", "client"):
        for where, line in enumerate(evidence.journals[host]):
            if is_free_line(evidence, line) or not any(text in line for text in ids) or FREE_LINES.search(line):
                continue
            changed = copy.deepcopy(evidence)
            del changed.journals[host][where]
            assert workbench.verdict(changed) == "FAIL", line
    for host in evidence.native:
        for where, line in enumerate(evidence.native[host]):
            if STEPS.search(line):
                changed = copy.deepcopy(evidence)
                del changed.native[host][where]
                assert workbench.verdict(changed) == "FAIL", line


@passing
def test_without_any_one_file_it_is_no_pass(name: str, workbench: Workbench) -> None:
    evidence = recorded(name)
    for key in evidence.snapshots:
        changed = copy.deepcopy(evidence)
        del changed.snapshots[key]
        assert workbench.judge(changed)["proof"]["missing"][0] == "hosts"
    for kind in ("journals", "native"):
        for host in getattr(evidence, kind):
            changed = copy.deepcopy(evidence)
            del getattr(changed, kind)[host]
            report = workbench.judge(changed)
            assert (report["verdict"], report["proof"]["missing"][0]) == ("FAIL", "hosts")
            assert host in report["reason"]


def parts(evidence: Evidence) -> list[tuple[str, object]]:
    """What a run's evidence is put together from; the relay's journal proves nothing."""
    logs = [(kind, host) for kind in ("journals", "native") for host in ("server", "client")]
    return [("run", None), *logs, *(("snapshots", key) for key in evidence.snapshots)]


def mixtures(base: Evidence, strange: Evidence) -> Iterator[tuple[object, Evidence]]:
    """Every evidence with one or two parts of the other run, or all but one or two."""
    everything = parts(base)
    for few in (some for count in (1, 2) for some in combinations(everything, count)):
        for taken in (list(few), [part for part in everything if part not in few]):
            mixed = copy.deepcopy(base)
            for kind, key in taken:
                if key is None:
                    mixed.run = strange.run
                else:
                    getattr(mixed, kind)[key] = getattr(strange, kind)[key]
            yield taken, mixed


@pytest.mark.parametrize("other_run", [NATIVE_LATER, NATIVE_RELAYED])
def test_no_mixture_of_two_runs_passes(other_run: str, workbench: Workbench) -> None:
    mixed = mixtures(recorded(NATIVE), recorded(other_run))
    assert [taken for taken, evidence in mixed if workbench.verdict(evidence) in PASSING] == []


def lies() -> dict[str, Evidence]:
    """A relayed session of two native programs, with more and more of it forged to look direct."""
    found = {}
    for forge in (all_claims, punch_lines, root_on("client"), root_on("server"), root_on("client", "server")):
        found[forge.__name__] = recorded(NATIVE_RELAYED)
        forge(found[forge.__name__])
        for host in ("client", "server"):
            for row in found[forge.__name__].snapshots[host, "during"]["status"]["sessions"]:
                row["path"] = "direct"
    return found


@pytest.mark.parametrize("lie", lies())
def test_a_relayed_run_called_direct_is_no_pass(lie: str, workbench: Workbench) -> None:
    evidence = lies()[lie]
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "unproven")
    assert {"relay.still", "bytes.relay"} & set(report["proof"]["missing"])


def test_nothing_taken_from_the_biggest_lie_makes_it_true(workbench: Workbench) -> None:
    evidence = lies()["root_on_client_and_server"]
    assert all(workbench.verdict(without(evidence, at)) not in PASSING for at in values(evidence))


def test_no_value_changed_makes_a_relayed_run_a_pass(workbench: Workbench) -> None:
    evidence, real = recorded(NATIVE_RELAYED), recorded(NATIVE)
    there = set(values(real))
    for at in values(evidence):
        found = place(evidence, at)
        for value in (other(found), "direct", *([place(real, at)] if at in there else [])):
            assert workbench.verdict(put(evidence, at, value)) not in PASSING, named(at)


def test_no_line_changed_makes_a_relayed_run_a_pass(workbench: Workbench) -> None:
    evidence = recorded(NATIVE_RELAYED)
    for host in ("server", "client"):
        for where, line in enumerate(evidence.journals[host]):
            versions = [line.replace("path=relayed", "path=direct")]
            versions += [text for _, text in changed_fields(line)] if " milestone=" in line else []
            for text in versions:
                changed = copy.deepcopy(evidence)
                changed.journals[host][where] = text
                assert workbench.verdict(changed) not in PASSING, text


@pytest.mark.parametrize("name", [DIRECT, RELAY_ONLY])
def test_an_embedded_run_called_native_is_no_pass(name: str, workbench: Workbench) -> None:
    for sides in (("client",), ("server",), ("client", "server")):
        evidence = recorded(name)
        for side in sides:
            evidence.run["hosts"][side]["native"] = f"kaspa-native-{side}"
            evidence.native[side] = recorded(NATIVE).native[side]
        assert workbench.verdict(evidence) == "FAIL"
    evidence = recorded(name)
    evidence.run["hosts"]["client"]["native"] = "kaspa-peer"
    assert workbench.verdict(evidence) == UNUSABLE


def test_handshakes_before_ours_do_no_harm(workbench: Workbench) -> None:
    """A third peer's, whole, and one that failed: each was over when ours began."""
    evidence = recorded(NATIVE)
    lines, ours = evidence.native["server"], caller(evidence)
    start, end = index(evidence, "server", "sending version"), index(evidence, "server", "P2P Connected")
    whole = [line.replace(ours, "[::1]:60000") for line in lines[start : end + 1]]
    failed = f"{lines[start][:29]} [DEBUG] P2P, handshake failed for inbound peer [::1]:60001: timeout"
    evidence.native["server"] = [*lines[:start], *whole, lines[start], failed, *lines[start:]]
    assert workbench.verdict(evidence) == "PASS"


def test_what_comes_after_the_look_does_no_harm(workbench: Workbench) -> None:
    """The program leaves by itself after five seconds, and a slow host is looked at later than that."""
    evidence = recorded(NATIVE)
    session = evidence.snapshots["client", "during"]["status"]["sessions"][0]["session"]
    for host in ("client", "server"):
        stamp = evidence.journals[host][-1][:29].replace("08:2", "08:3")
        evidence.journals[host].append(f"{stamp} [INFO ] over milestone=stream.closed session={session} reason=end")
        evidence.after(host)["status"]["sessions"] = []
    assert workbench.verdict(evidence) == "PASS"
