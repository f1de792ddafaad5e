"""Kinds of values: what each takes, and how it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.settings import AllowList, definitions, kinds
from kaspa_node.settings.addresses import BadValue

from .conftest import CLIENT_ID, RELAY, RELAY_ID, SERVER_ID, refusal

ALL = {definition.key: definition.kind for definition in definitions()}
TOML = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.sampled_from([RELAY, RELAY_ID, "any"])),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.sampled_from(["name", "peer_id", "addrs", "x"]), inner)
    ),
    max_leaves=6,
)


@given(TOML)
def test_whatever_toml_holds_is_taken_or_refused_by_name(value: object) -> None:
    for kind in ALL.values():
        refused = refusal(kind.check, value)
        assert refused is None or (refused.problem and refused.expected)


@given(st.text())
def test_whatever_a_variable_holds_is_taken_or_refused_by_name(text: str) -> None:
    for kind in ALL.values():
        refused = refusal(kind.check, kind.from_text(text))
        assert refused is None or (refused.problem and refused.expected)


@given(
    st.lists(st.sampled_from([RELAY_ID, SERVER_ID, CLIENT_ID]), unique=True), st.sampled_from([",", ";", " , ", ";;"])
)
def test_a_list_is_split_at_commas_and_semicolons(entries: list[str], separator: str) -> None:
    assert kinds.split_list(separator.join(entries)) == entries


@pytest.mark.parametrize("value", [0, 11, True, "5", 5.0, None])
def test_integers_are_whole_and_in_range(value: object) -> None:
    with pytest.raises(BadValue):
        kinds.integer(1, 10).check(value)


def test_a_number_in_a_variable_is_a_number() -> None:
    assert kinds.integer(1, 10).from_text("5") == 5
    assert kinds.integer(1, 10).from_text("9" * 5000) == "9" * 5000


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("1", True), ("off", False), ("x", "x")])
def test_booleans_in_a_variable(text: str, value: object) -> None:
    assert kinds.boolean().from_text(text) == value


def test_the_allow_list_is_closed_listed_or_open() -> None:
    check = kinds.allow_list().check
    assert not check([]).permits(RELAY_ID)
    assert str(check([])) == "nobody"
    listed = check([RELAY_ID])
    assert listed.permits(RELAY_ID)
    assert not listed.permits(SERVER_ID)
    assert not listed.permits(RELAY_ID[:-1])
    assert check(["any"]) == AllowList(any=True)
    assert check(["any"]).permits(SERVER_ID)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("any", "is not a list"),
        (["any", RELAY_ID], "mixes any with peer ids"),
        ([RELAY_ID, RELAY_ID], "is in the list twice"),
        ([RELAY_ID[:20]], "is not a complete"),
        ([1], "is not text"),
    ],
)
def test_allow_lists_that_are_refused(value: object, problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        kinds.allow_list().check(value)
    assert problem in caught.value.problem


def test_each_relay_stands_once() -> None:
    check = kinds.relay_addresses().check
    with pytest.raises(BadValue, match="twice"):
        check([RELAY, f"{RELAY}/p2p-circuit"])
    with pytest.raises(BadValue, match="second address of one relay"):
        check([RELAY, f"/ip6/::1/tcp/4011/p2p/{RELAY_ID}"])
    with pytest.raises(BadValue, match="address of another relay"):
        check([RELAY, RELAY.replace(RELAY_ID, SERVER_ID)])


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "has no peer_id"),
        ({"peer_id": SERVER_ID, "adress": []}, "is not a key of a remote"),
        ({"peer_id": SERVER_ID, "name": "a b"}, "is no name"),
        ({"peer_id": SERVER_ID, "name": ""}, "is no name"),
        ({"peer_id": SERVER_ID[:-2]}, "is not a complete"),
        ({"peer_id": SERVER_ID, "addrs": RELAY}, "is not a list"),
        ({"peer_id": SERVER_ID, "addrs": [f"{RELAY}/p2p-circuit/p2p/{CLIENT_ID}"]}, "is at the end"),
        ({"peer_id": RELAY_ID, "addrs": [RELAY]}, "is an address of the remote itself"),
        ({"peer_id": SERVER_ID, "listen": 16211}, "is not text"),
        ({"peer_id": SERVER_ID, "listen": "0.0.0.0:16211"}, "is open to the network"),
    ],
)
def test_remotes_that_are_refused(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadValue) as caught:
        kinds.remotes().check([entry])
    assert problem in caught.value.problem


def test_remotes_differ_in_name_and_peer_id() -> None:
    check = kinds.remotes().check
    with pytest.raises(BadValue, match="is the name of two remotes"):
        check([{"name": "a", "peer_id": SERVER_ID}, {"name": "a", "peer_id": CLIENT_ID}])
    with pytest.raises(BadValue, match="is the peer id of two remotes"):
        check([{"name": "a", "peer_id": SERVER_ID}, {"name": "b", "peer_id": SERVER_ID}])
    at = {"listen": "[::1]:50051"}
    with pytest.raises(BadValue, match="is the listen address of two remotes"):
        check([{"peer_id": SERVER_ID, **at}, {"peer_id": CLIENT_ID, **at}])


def test_remotes_in_a_variable_have_a_name_or_not() -> None:
    remotes = kinds.remotes()
    named, unnamed = remotes.check(remotes.from_text(f"server={SERVER_ID}, {CLIENT_ID}"))
    assert (named.name, named.peer_id) == ("server", SERVER_ID)
    assert (unnamed.name, unnamed.peer_id) == (CLIENT_ID, CLIENT_ID)
    assert named.listen is unnamed.listen is None


def test_remotes_in_a_variable_may_say_where_to_listen() -> None:
    remotes = kinds.remotes()
    text = f"server={SERVER_ID}@[::1]:50051; {CLIENT_ID}@unix:/run/a=b@c.sock"
    tcp, unix = remotes.check(remotes.from_text(text))
    assert (tcp.name, str(tcp.listen)) == ("server", "[::1]:50051")
    assert (unix.peer_id, str(unix.listen)) == (CLIENT_ID, "unix:/run/a=b@c.sock")


@pytest.mark.parametrize("value", ["relative", "", "/a\nb", 5, "/" + "a" * 103])
def test_socket_paths_that_are_refused(value: object) -> None:
    with pytest.raises(BadValue):
        kinds.socket_path().check(value)
