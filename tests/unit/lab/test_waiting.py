"""A bounded wait asks at least once, and ends."""

from __future__ import annotations

from lab.waiting import until


def test_what_holds_needs_no_time() -> None:
    assert until(lambda: True, timeout=0)


def test_what_comes_to_hold_is_waited_for() -> None:
    answers = iter([False, False, True])
    assert until(lambda: next(answers), timeout=60, pause=0)


def test_what_never_holds_is_given_up() -> None:
    assert not until(lambda: False, timeout=0, pause=0)
