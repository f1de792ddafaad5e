from __future__ import annotations

import pytest
from ansible_collections.kaspa.private_peers.plugins.plugin_utils.kaspa_terminal import aside, show


@pytest.mark.parametrize(
    ("callback", "expected"),
    [("default", ("a line\n", "")), ("json", ("", "a line\n")), ("minimal", ("", "a line\n"))],
)
def test_the_output_of_other_callbacks_has_no_lines_of_ours(
    callback: str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", callback)
    monkeypatch.setenv("ANSIBLE_NOCOLOR", "1")
    show("a line")
    assert tuple(capsys.readouterr()) == expected
    assert aside() == (callback != "default")
