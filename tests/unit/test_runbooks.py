"""How a runbook page is read, and how what a command printed is held against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbooks.compare import aligned, told
from tests.runbooks.follow import Shell, Strayed, follow
from tests.runbooks.masks import masked
from tests.runbooks.page import PageError, Step, pages, steps

PAGE = """# A title

<!-- lab: python3 -m lab nat client symmetric -->

```console exit=1
$ fab status
client  up
$ fab doctor client \\
    server
...
because of the NAT
```

```
$ not a command
```
"""


def step(command: str, *shown: str, code: int = 0, scene: bool = False) -> Step:
    return Step(command, scene, code, shown, 0, 0)


def test_a_page_is_its_commands_and_scenes_in_order() -> None:
    scene, status, doctor = steps(PAGE)
    assert (scene.command, scene.scene) == ("python3 -m lab nat client symmetric", True)
    assert (status.command, status.code, status.shown) == ("fab status", 0, ("client  up",))
    assert (doctor.command, doctor.code) == ("fab doctor client \\\n    server", 1)
    assert doctor.shown == ("...", "because of the NAT")
    assert PAGE.splitlines()[doctor.first : doctor.end] == list(doctor.shown)


@pytest.mark.parametrize("text", ["```console\n$ fab status\n", "```console\nno command\n```\n", "```console\n```\n"])
def test_a_block_that_is_none_is_told(text: str) -> None:
    with pytest.raises(PageError, match="line "):
        steps(text)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_page_can_be_read(page: Path) -> None:
    assert steps(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("once", "again"),
    [
        ("peer 12D3KooWBCPfhmJzSRGspV6mQ1F4zbw", "peer 12D3KooWHJqDf5wWQJz2PosZn1KBiH93U"),
        ("report evidence/20261123T073446Z-e759/report.md", "report evidence/20261201T000001Z-0001/report.md"),
        ("since 2026-11-23 07:51:24 UTC", "since 2026-12-01 00:00:00 UTC"),
        ("direct in 0.36 s, 1,024 bytes", "direct in 12 s, 5 bytes"),
        ("session 9f3a51c20b77d0e4.3", "session 00000000000000aa.11"),
        ("203.0.113.30:53213 no answer", "203.0.113.30:40001 no answer"),
        ("TASK [Judge the evidence] ****************", "TASK [Judge the evidence] *****"),
        ("  relay  2      0      14     58.2 KiB  0    0", "  relay  2   0   3  3.7 KiB  0   4"),
        ("active  59 s  0.1.0  12D3KooW…9zVoeFjU  -", "active  1 min 2 s  0.1.0  12D3KooW…zZR5PKZx  -"),
        ("client is …qAsr4d34)", "client is …wWbn7DHu)"),
        ("reserved  59 min 15 s  203.0.113.30:4012", "reserved  1 h 0 min  203.0.113.30:4012"),
        ("ready  203.0.113.20:4012  475 B  1.2 KiB  3 s", "ready  203.0.113.20:4012  1.0 KiB  602 B  3 min 1 s"),
        ("client : ok=14 changed=0 skipped=2", "client : ok=15 changed=0 skipped=1"),
        ("bytes session 1,024, by relay 29,304", "bytes session 99, by relay 1"),
        ("/opt/kaspa-node-0a1b2c3d4e5f", "/opt/kaspa-node-5f4e3d2c1b0a"),
    ],
)
def test_what_differs_from_run_to_run_is_masked(once: str, again: str) -> None:
    assert masked(once) == masked(again)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("outgoing session, direct", "outgoing session, relayed"),
        ("client : ok=13 changed=0", "client : ok=13 changed=1"),
        ("relay 203.0.113.10:4011", "relay 203.0.113.10:4012"),
        ("  relay  2  0  3  3.7 KiB  0  4", "  relay  1  0  3  3.7 KiB  0  4"),
        ("  relay2  2  0  0  0 B  0  0", "  relay2  2  0  0  1.8 KiB  0  0"),
        ("verdict PASS", "verdict FAIL"),
        ("bytes session 1,024, by relay 0", "bytes session 1,024, by relay 13,101"),
    ],
)
def test_what_a_page_says_is_not(line: str, other: str) -> None:
    assert masked(line) != masked(other)


def test_any_lines_may_stand_for_three_dots() -> None:
    assert aligned(["a", "...", "z"], ["a", "b", "c", "z"]) == ["a", "...", "z"]
    assert aligned(["...", "z"], ["z"]) == ["...", "z"]
    assert aligned(["a", "..."], ["a", "z", "a"]) == ["a", "..."]
    assert aligned(["a", "", "took 3 s"], ["a", "took 14 s"]) == ["a", "", "took 14 s"]


@pytest.mark.parametrize("printed", [[], ["a"], ["a", "b"], ["b", "z"], ["a", "z", "b"]])
def test_what_is_printed_otherwise_does_not_match(printed: list[str]) -> None:
    assert aligned(["a", "...", "z"], printed) is None


def test_progress_is_not_compared() -> None:
    lines = [
        "a",
        "",
        "... role : task: still running on client (4 s)",
        "  deploy.yml: ... task: still running on a (8 s)",
    ]
    lines += ["[  3 s] building", "Took 30 s.", "b", ""]
    assert told("\n".join(lines)) == ["a", "b"]


def test_a_shell_keeps_directory_and_variables(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "kept")
    follow(step("export WHERE=here; cd docs", scene=True), shell)
    assert follow(step("echo $WHERE; basename $PWD", "here", "docs"), shell) == ["here", "docs"]


def test_a_command_that_does_something_else_is_told(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "kept")
    with pytest.raises(Strayed, match="ended with 3, not 0"):
        follow(step("exit 3"), shell)
    with pytest.raises(Strayed, match=r"\+PASS"):
        follow(step("echo PASS", "FAIL"), shell)
    with pytest.raises(Strayed, match="ended with 1, not 0"):
        follow(step("false", scene=True), shell)
