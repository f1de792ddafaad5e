from __future__ import annotations

from typing import Any

import kaspa_reload
import pytest

from kaspa_node.errors import ControlError, RequestFailed, RequestRefused

NOTHING: dict[str, list[str]] = {"applied": [], "restart": []}


def came(answers: list[Any], *, runs: bool = True) -> dict[str, list[str]]:
    """What is brought about when the node answers so, one answer a second, for three seconds."""
    seconds = iter(range(10))

    def ask() -> Any:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return kaspa_reload.bring_about(ask, lambda: runs, 3, lambda: next(seconds), lambda: None)


@pytest.mark.parametrize(
    "answer", [NOTHING, {"applied": ["allow"], "restart": []}, {"applied": [], "restart": ["listen"]}]
)
def test_the_node_says_what_it_has_done(answer: dict[str, list[str]]) -> None:
    assert came([answer]) == answer


def test_a_node_that_is_starting_is_waited_for() -> None:
    assert came([ControlError("no socket"), NOTHING]) == NOTHING


def test_a_node_that_does_not_run_has_nothing_to_apply() -> None:
    assert came([ControlError("no socket")], runs=False) == NOTHING


def test_a_node_that_runs_and_never_answers_is_restarted() -> None:
    assert came([ControlError("no answer")]) == {"applied": [], "restart": ["no answer"]}


def test_a_release_without_reload_is_restarted() -> None:
    unknown = "a peer does not know how to reload"
    assert came([RequestFailed(unknown)]) == {"applied": [], "restart": [unknown]}


def test_a_configuration_that_cannot_be_used_is_no_reason_to_restart() -> None:
    with pytest.raises(RequestRefused):
        came([RequestRefused("network: is not known")])
