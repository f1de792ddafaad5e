"""multistream-select: both sides, optimistic or not, with remotes of every manner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.p2p.channel.negotiate import HEADER, MAX_PROPOSALS, NOT_AVAILABLE, Answerer, Proposer, token
from kaspa_node.p2p.errors import NegotiationError, ProtocolError

NOISE, TLS = "/noise", "/tls/1.0.0"


def test_a_token_is_a_delimited_line() -> None:
    assert token(HEADER) == b"\x13/multistream/1.0.0\n"
    assert token(NOT_AVAILABLE) == b"\x03na\n"


def test_one_round_trip_agrees() -> None:
    proposer, answerer = Proposer([NOISE]), Answerer({NOISE}.__contains__)
    reply = answerer.receive(proposer.opening() + b"data at once")
    assert reply == token(HEADER) + token(NOISE)
    assert (answerer.agreed, answerer.rest()) == (NOISE, b"data at once")
    assert proposer.receive(reply + b"an answer") == b""
    assert (proposer.agreed, proposer.rest()) == (NOISE, b"an answer")


def test_the_second_preference_is_proposed_after_a_refusal() -> None:
    proposer, answerer = Proposer([TLS, NOISE]), Answerer({NOISE}.__contains__)
    reply = answerer.receive(proposer.opening())
    assert reply == token(HEADER) + token(NOT_AVAILABLE)
    proposal = proposer.receive(reply)
    assert proposal == token(NOISE)
    assert proposer.receive(answerer.receive(proposal)) == b""
    assert proposer.agreed == answerer.agreed == NOISE


def test_the_listener_confirms_the_first_that_it_speaks() -> None:
    answerer = Answerer({NOISE, TLS}.__contains__)
    answerer.receive(token(HEADER) + token(TLS) + token(NOISE))
    assert answerer.agreed == TLS
    assert answerer.rest() == token(NOISE)


def test_a_refusal_of_everything_names_what_was_refused() -> None:
    proposer = Proposer([NOISE])
    with pytest.raises(NegotiationError, match="does not speak /noise"):
        proposer.receive(token(HEADER) + token(NOT_AVAILABLE))


def test_nothing_to_propose_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="nothing to propose"):
        Proposer([])


@pytest.mark.parametrize("answer", [b"\x04\n/x\n", token("/other"), token(HEADER), b"\x02na", b"\x00"])
def test_an_answer_that_is_none(answer: bytes) -> None:
    proposer = Proposer([NOISE])
    with pytest.raises(ProtocolError):
        proposer.receive(token(HEADER) + answer)


@pytest.mark.parametrize(
    "opening",
    [token(NOISE), token("/multistream/2.0.0"), b"\x01\n", b"\xff\x7f", b"GET / HTTP/1.1\r\n" * 9],
)
def test_a_remote_that_does_not_begin_with_the_header(opening: bytes) -> None:
    for side in (Proposer([NOISE]), Answerer({NOISE}.__contains__)):
        with pytest.raises(ProtocolError):
            side.receive(opening)


def test_a_listener_is_asked_a_limited_number_of_times() -> None:
    answerer = Answerer(lambda name: False)
    answerer.receive(token(HEADER))
    for number in range(MAX_PROPOSALS):
        assert answerer.receive(token(f"/{number}")) == token(NOT_AVAILABLE)
    with pytest.raises(ProtocolError, match="more than 32 proposals"):
        answerer.receive(token("/one-more"))


def test_text_that_is_no_utf8_is_only_unknown() -> None:
    answerer = Answerer({NOISE}.__contains__)
    assert answerer.receive(token(HEADER) + b"\x03\xff\xfe\n") == token(HEADER) + token(NOT_AVAILABLE)


@given(st.data())
def test_agreement_in_any_pieces(data: st.DataObject) -> None:
    proposer, answerer = Proposer([TLS, NOISE]), Answerer({NOISE}.__contains__)
    to_answerer, to_proposer = proposer.opening(), b""
    while proposer.agreed is None:
        if to_answerer:
            cut = data.draw(st.integers(1, len(to_answerer)))
            to_proposer += answerer.receive(to_answerer[:cut])
            to_answerer = to_answerer[cut:]
        elif to_proposer:
            cut = data.draw(st.integers(1, len(to_proposer)))
            to_answerer += proposer.receive(to_proposer[:cut])
            to_proposer = to_proposer[cut:]
    assert proposer.agreed == answerer.agreed == NOISE


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(data: bytes) -> None:
    for prefix in (b"", token(HEADER)):
        for side in (Proposer([NOISE]), Answerer({NOISE}.__contains__)):
            try:
                side.receive(prefix + data)
            except ProtocolError:
                continue


def test_a_refusal_reaches_a_remote_that_sent_its_data_behind_the_proposal() -> None:
    answerer = Answerer(lambda name: False)
    sent = token(HEADER) + token("/unknown/1") + b"\x05\x08\x64\x12\x02\x04"
    assert answerer.receive(sent) == token(HEADER) + token("na")
    assert answerer.agreed is None
