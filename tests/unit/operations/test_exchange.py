"""What is said before a command begins, in any pieces."""

from __future__ import annotations

import pytest

from operations.exchange import Exchange
from operations.supervisor import BEGUN


class Said:
    def __init__(self, password: str | None, given: bytes = b"input") -> None:
        self.sent: list[bytes] = []
        self.out, self.err = bytearray(), bytearray()
        self.exchange = Exchange(
            self.sent.append, given, self.out.extend, self.err.extend, prompt=b"[word]: ", password=password
        )


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("password", [None, "secret"])
def test_in_any_pieces(size: int, password: str | None) -> None:
    said = Said(password)
    asked = b"lecture\n[word]: " if password else b""
    for at in range(0, len(asked), size):
        said.exchange.error(asked[at : at + size])
    assert said.sent == ([b"secret\n"] if password else [])
    answer = b"Welcome\n" + BEGUN + b"out"
    for at in range(0, len(answer), size):
        said.exchange.output(answer[at : at + size])
    said.exchange.error(b"err")
    assert (said.sent[-1], bytes(said.out), bytes(said.err)) == (b"input", b"out", b"err")
    assert (said.exchange.begun, said.exchange.refused) == (True, False)


def test_input_waits_for_the_command() -> None:
    said = Said(None)
    said.exchange.output(b"Welcome\n")
    assert said.sent == []


def test_a_second_question_means_that_the_password_is_wrong() -> None:
    said = Said("secret")
    said.exchange.error(b"[word]: ")
    said.exchange.error(b"Sorry, try again.\n[word]: ")
    assert (said.exchange.refused, said.sent) == (True, [b"secret\n"])


def test_without_a_question_the_password_is_not_given() -> None:
    said = Said("secret")
    said.exchange.error(b"warning\n")
    said.exchange.output(BEGUN)
    assert (said.sent, bytes(said.err), said.exchange.complaint) == ([b"input"], b"warning\n", b"warning\n")
