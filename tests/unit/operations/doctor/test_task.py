"""What can't be asked of the doctor: one line, exit code 2, and no host is bothered."""

from __future__ import annotations

from pathlib import Path

import pytest
from invoke.exceptions import Exit

from operations.tasks.doctor import doctor
from tests.playbooks import ROOT

LAB = str(ROOT / "inventory" / "lab")
ALONE = "all: {children: {relays: {hosts: {vps: {}}}, peers: {hosts: {home: {}}}}}\n"


def ask(inventory: str, *words: str) -> int:
    a, b = (*words, "", "")[:2]
    with pytest.raises(Exit) as end:
        doctor.body(None, a, b, inventory=[inventory], json=False, timeout=None)
    return int(end.value.code)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nobody"], "no host 'nobody' in "),
        (["client", "relay"], "relay is a relay, not a peer; peers are server, client"),
        (["client", "client"], "client can't be both ends of a session; name two peers"),
    ],
)
def test_peers_that_are_none(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(LAB, *words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(problem)


def test_an_inventory_in_which_nobody_dials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "hosts.yml"
    place.write_text(ALONE)
    assert ask(str(place)) == 2
    assert capsys.readouterr().err == (f"no peer of {place} dials another; set kaspa_peer_dials, or name two peers\n")
