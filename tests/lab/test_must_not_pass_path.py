"""Sessions that work, or did, over a path that is not direct: none of them is taken for a direct one."""

from __future__ import annotations

import re

import pytest

from lab.topology import router
from tests.lab import scenes
from tests.lab.scenes import (
    ALLOWED_RELAYED,
    BEFORE_EXERCISE,
    BEFORE_JUDGEMENT,
    UNPROVEN,
    UNWANTED_RELAYED,
    command,
    cut,
    judge_again,
    nats,
    verify,
)

pytestmark = pytest.mark.usefixtures("deployed")

# The port of a symmetric NAT is another one each time.
PUNCHES_FAILED = r"3 hole punches failed, timeout after 4 s \((<\w+>:\d+: no answer(; )?)+\)"

ENDED = "Not proven to be direct, alive: client ended the session before it could be judged: {}"


def test_two_symmetric_nats() -> None:
    with nats(client="symmetric", server="symmetric"):
        unwanted = verify()
    allowed = judge_again("any")
    assert unwanted.told == UNWANTED_RELAYED
    assert re.fullmatch(f"The handshake works, but over the relay: {PUNCHES_FAILED}", unwanted.reason)
    assert allowed.told == ALLOWED_RELAYED
    assert re.fullmatch(f"The handshake works over the relay: {PUNCHES_FAILED}", allowed.reason)


def test_one_symmetric_nat() -> None:
    with nats(server="symmetric"):
        found = verify("expect_path=any")
    assert found.told == ALLOWED_RELAYED
    assert re.fullmatch(f"The handshake works over the relay: {PUNCHES_FAILED}", found.reason)


def test_a_direct_path_that_dies_before_the_exercise() -> None:
    try:
        found = verify(meddling={BEFORE_EXERCISE: cut("reject with tcp reset")})
    finally:
        scenes.mend()
    assert found.told == UNPROVEN
    assert found.reason == ENDED.format("Connection reset by peer")


def test_a_direct_path_that_dies_after_the_exercise() -> None:
    kill = command("client", f"ss --tcp --kill dst {router('server').public}")
    found = verify(meddling={BEFORE_JUDGEMENT: kill})
    assert found.told == UNPROVEN
    assert found.reason == ENDED.format("Software caused connection abort")
