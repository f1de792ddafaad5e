"""The command line's grammar."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaspa_node.cli import arguments


def test_what_a_command_may_be_told() -> None:
    given = arguments.parse(
        [
            "session",
            "server",
            "--run",
            "r1",
            "--policy",
            "direct-only",
            "--timeout",
            "2.5",
            "--control",
            "/run/x.sock",
            "--stream",
            "--json",
        ]
    )
    assert (given.command, given.remote, given.run, given.policy) == ("session", "server", "r1", "direct-only")
    assert (given.timeout, given.control, given.stream, given.json) == (2.5, "/run/x.sock", True, True)


@pytest.mark.parametrize("role", ["relay", "peer"])
def test_the_programs_take_a_configuration(role: str) -> None:
    assert arguments.parse([role]).config is None
    assert arguments.parse([role, "--config", "a.toml"]).config == "a.toml"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "serve",
        "session",
        "session server --policy fast",
        "session server --timeout 0",
        "session server --timeout nan",
        "session server --timeout 1e9",
        "session server --timeout soon",
        "exercise 9f3a.3 --pings 0",
        "exercise 9f3a.3 --pings many",
        "exercise 9f3a.3 --pings 9999999",
        "status --conf x",
        "status extra\x1b[31m",
    ],
)
def test_a_wrong_line_is_one_line_and_code_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments.parse(line.split())
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("kaspa-node: ")
    assert output.err.removesuffix("\n").isprintable()
    assert "--help" in output.err


def test_help_and_version_are_answers(capsys: pytest.CaptureFixture[str]) -> None:
    for line, part in (("--help", "status"), ("session --help", "REMOTE"), ("--version", "kaspa-node 0.")):
        with pytest.raises(SystemExit) as caught:
            arguments.parse(line.split())
        assert caught.value.code == 0
        assert part in capsys.readouterr().out


WORDS = st.sampled_from(
    [
        "relay",
        "peer",
        "status",
        "session",
        "exercise",
        "explain",
        "--config",
        "--pings",
        "--timeout",
        "--json",
        "-1",
        "3",
    ]
)


def left_with(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str] | None:
    """The exit code that these words lead to, and what is said of it; None where they are a command."""
    try:
        arguments.parse(words)
    except SystemExit as left:
        return left.code, capsys.readouterr().err
    return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS | st.text(max_size=8), max_size=6))
def test_whatever_is_typed_is_a_command_or_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = left_with(words, capsys) or (0, "")
    assert code in (0, 2)
    assert code == 0 or (said.startswith("kaspa-node: ") and said.removesuffix("\n").isprintable())
