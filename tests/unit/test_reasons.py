"""Reasons: each code is its own, says a sentence, and wants exactly its details."""

from __future__ import annotations

import re
import string

import pytest

from kaspa_node import reasons
from kaspa_node.reasons import SENTENCES, Reason


def details_of(code: str) -> dict[str, object]:
    """Something for each detail of the code's sentence; numbers for those that are formatted as such."""
    fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(SENTENCES[code]) if name]
    return {name: 3.5 if spec else "<detail>" for name, spec in fields}


def test_every_code_is_a_constant_of_the_same_name_in_kebab_case() -> None:
    names = {name: value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert [value for name, value in names.items() if value != name.lower().replace("_", "-")] == []
    assert set(SENTENCES) <= set(names.values())


@pytest.mark.parametrize("code", SENTENCES)
def test_a_code_has_one_line_with_all_its_details(code: str) -> None:
    sentence = str(Reason(code, **details_of(code)))
    assert sentence == sentence.strip() != ""
    assert "\n" not in sentence
    assert sentence.count("<detail>") == list(details_of(code).values()).count("<detail>")
    assert not re.search(r"[{}]", sentence)


@pytest.mark.parametrize("code", [code for code in SENTENCES if details_of(code)])
def test_a_detail_that_is_missing_is_an_error(code: str) -> None:
    with pytest.raises(KeyError):
        Reason(code)


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(KeyError):
        Reason("out-of-luck")


def test_reasons_are_equal_if_code_and_sentence_are() -> None:
    one = Reason(reasons.NO_ANSWER, seconds=3.5, answers="203.0.113.20:4012: no answer")
    same = Reason(reasons.NO_ANSWER, seconds=3.5, answers="203.0.113.20:4012: no answer")
    assert one == same
    assert len({one, same, Reason(reasons.NO_ADDRESSES)}) == 2
    assert str(one) == "timeout after 4 s (203.0.113.20:4012: no answer)"
    assert one != str(one)
