"""Errors for people: one line, their exit codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node import errors
from kaspa_node.errors import AlreadyRunning, ConfigError, ControlError, IdentityError, KaspaNodeError, ListenError


@given(st.text(), st.text(), st.one_of(st.text(), st.integers(), st.lists(st.text()), st.binary()))
def test_whatever_a_value_or_a_librarys_reason_holds_the_error_is_one_line(
    problem: str, reason: str, value: object
) -> None:
    for error in (
        ConfigError("listen", value, "KASPA_NODE_LISTEN", problem, "an address"),
        IdentityError("/var/lib/kaspa-node/identity.key", reason, "start again"),
        ListenError("0.0.0.0:4012", reason, "stop the other"),
    ):
        assert str(error).isprintable()


def test_a_configuration_error_names_setting_value_origin_problem_and_expectation() -> None:
    error = ConfigError("network", "mainet", "peer.toml", "is not known", "one of mainnet, devnet")
    assert str(error) == 'network: "mainet" (from peer.toml) is not known; expected one of mainnet, devnet'


def test_long_values_are_cut() -> None:
    assert len(errors.shown("x" * 10_000)) < 200
    assert "(10002 characters)" in errors.shown("x" * 10_000)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KaspaNodeError("x"), 1),
        (ControlError("x"), 1),
        (ListenError("x", "y", "z"), 2),
        (AlreadyRunning("/run/x.sock"), 2),
        (IdentityError("x", "y", "z"), 2),
    ],
)
def test_exit_codes(error: KaspaNodeError, code: int) -> None:
    assert error.exit_code == code
    assert isinstance(error, KaspaNodeError)


def test_the_first_error_of_a_group_is_found_however_deep() -> None:
    first = ControlError("first")
    group = BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [first]), ControlError("second")])
    assert errors.first_error(group) is first
