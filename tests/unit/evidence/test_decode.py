from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.evidence.decode import DecodeError, as_integer, as_text, parse_json


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "f: not JSON: "),
        ("[]", "f: expected an object, found list"),
        ("null", "f: expected an object, found nothing"),
        ('{"a": 1, "a": 2}', "f: a key is twice in one object"),
        ('{"a": NaN}', "f: NaN is not a JSON number"),
        ('{"a": ' + "[" * 100_000, "f: nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "f: not JSON: "),
    ],
)
def test_what_is_no_json_object_is_an_error(text: str, error: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_json("f", text)
    assert str(caught.value).startswith(error)


RECORD = parse_json("f", '{"t": "x", "e": "", "i": 3, "n": 1.5, "b": true, "o": {"t": 1}, "l": [1, "x"], "z": null}')


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda: RECORD.text("i"), "f: t should be a text"),
        (lambda: RECORD.text("e"), "f: e should be a text, found str"),
        (lambda: RECORD.text("none"), "f: none should be a text, found nothing"),
        (lambda: RECORD.integer("b"), "f: b should be a whole number, found bool"),
        (lambda: RECORD.integer("n"), "f: n should be a whole number, found float"),
        (lambda: parse_json("f", '{"i": -1}').integer("i"), "f: i should be a whole number"),
        (lambda: parse_json("f", '{"i": 9223372036854775808}').integer("i"), "f: i should be a whole number"),
        (lambda: RECORD.number("b"), "f: b should be a number"),
        (lambda: parse_json("f", '{"n": 1e999}').number("n"), "f: n should be a number"),
        (lambda: parse_json("f", '{"n": 1' + "0" * 400 + "}").number("n"), "f: n should be a number"),
        (lambda: RECORD.boolean("i"), "f: i should be true or false"),
        (lambda: RECORD.record("t"), "f: t: expected an object, found str"),
        (lambda: RECORD.record("o").text("t"), "f: o: t should be a text, found int"),
        (lambda: RECORD.list("o", as_text), "f: o should be a list"),
        (lambda: RECORD.list("l", as_text), "f: l[0]: expected a text, found int"),
        (lambda: RECORD.list("l", as_integer), "f: l[1]: expected a whole number, found str"),
        (lambda: as_integer("f", True), "f: expected a whole number, found bool"),
    ],
)
def test_an_error_names_the_field_and_what_is_expected(read: object, error: str) -> None:
    assert callable(read)
    with pytest.raises(DecodeError) as caught:
        read()
    assert str(caught.value).startswith(error.replace("f: t should be a text", "f: i should be a text"))


def test_what_is_as_expected_is_given() -> None:
    assert (RECORD.text("t"), RECORD.integer("i"), RECORD.number("n"), RECORD.number("i")) == ("x", 3, 1.5, 3.0)
    assert RECORD.boolean("b") is True
    assert RECORD.any_text("e") is RECORD.any_text("z") is RECORD.any_text("none") is None
    assert RECORD.any_text("t") == "x"
    assert RECORD.optional("z", RECORD.text) is None
    assert RECORD.optional("t", RECORD.text) == "x"
    assert RECORD.present("t")
    assert not RECORD.present("z")
    assert RECORD.names == ["t", "e", "i", "n", "b", "o", "l", "z"]


@given(st.text())
def test_no_text_raises_another_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        parse_json("f", text)
