from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node import milestones as m
from kaspa_node.evidence.bundle import load
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.redact import Redactor, mapped, redactor_for
from tests.unit.evidence.builder import SERVER, Log, complete

NAMES = {"203.0.113.10": "<RELAY_IP>", "10.1.0.2": "<CLIENT_LAN_IP>", "2001:db8::1": "<HOME_IP>"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/ip4/203.0.113.10/tcp/4011", "/ip4/<RELAY_IP>/tcp/4011"),
        ("at 203.0.113.10.", "at <RELAY_IP>."),
        ("203.0.113.10:4011->10.1.0.2:4012", "<RELAY_IP>:4011-><CLIENT_LAN_IP>:4012"),
        ("203.0.113.100", "<OTHER_IP_1>"),
        ("9.9.9.9 8.8.8.8 9.9.9.9", "<OTHER_IP_1> <OTHER_IP_2> <OTHER_IP_1>"),
        ("300.1.1.1", "<OTHER_IP_1>"),
        ("::ffff:203.0.113.10", "<RELAY_IP>"),
        ("[2001:db8::1]:80", "[<HOME_IP>]:80"),
        ("[2001:DB8:0:0:0:0:0:1]", "[<HOME_IP>]"),
        ("from 2001:db8::1: refused", "from <HOME_IP>: refused"),
        ("x :2001:db8::1", "x :<HOME_IP>"),
        ("127.0.0.1 0.0.0.0 ::1 :: [::]:4012", "127.0.0.1 0.0.0.0 ::1 :: [::]:4012"),
        ("2026-11-23 10:15:00.100+00:00", "2026-11-23 10:15:00.100+00:00"),
        ("foo::bar a:b 1:2:3", "foo::bar a:b 1:2:3"),
        ("a\x1b\r\u2028b", "a\\x1b\\x0d\\x2028b"),
        ("two\nlines", "two\nlines"),
        ("[fd00::5]:1", "[fd00::5]:1"),
        ("[fd00::6]:1", "[<OTHER_IP_1>]:1"),
    ],
)
def test_addresses_become_names(text: str, expected: str) -> None:
    assert Redactor(NAMES, ["fd00::5"]).text(text) == expected


def test_values_are_redacted_to_their_depth() -> None:
    value = {"10.1.0.2": ["10.1.0.2", {"a": ("10.1.0.2", 7, None, True)}]}
    assert mapped(value, Redactor(NAMES).text) == {
        "<CLIENT_LAN_IP>": ["<CLIENT_LAN_IP>", {"a": ["<CLIENT_LAN_IP>", 7, None, True]}]
    }


@given(
    st.ip_addresses(), st.sampled_from(["{}", "x={} y", '"{}"', "[{}]:80", "({})", "{},", "at {}.", "/ip6/{}/tcp/1"])
)
def test_no_address_is_left(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, around: str) -> None:
    text = Redactor({}).text(around.format(ip))
    # An IPv4 address in IPv6 form, such as ::ffff:127.0.0.1, means the IPv4 address.
    meant = getattr(ip, "ipv4_mapped", None) or ip
    if not meant.is_loopback and not meant.is_unspecified:
        assert str(ip) not in text.replace(around.format(""), "")
        assert "IP_1>" in text


@given(st.text())
def test_no_text_raises_and_twice_is_once(text: str) -> None:
    redactor = Redactor(NAMES)
    once = redactor.text(text)
    assert redactor.text(once) == once


def test_a_host_known_as_synthetic_is_still_redacted(tmp_path: object) -> None:
    assert Redactor({"fd00::5": "<HOME_IP>"}, ["fd00::5"]).text("fd00::5") == "<HOME_IP>"


def test_names_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    evidence = complete()
    evidence.run["hosts"]["relay"] |= {"public": None}
    evidence.run["hosts"]["server"] |= {"public": None, "addresses": ["10.2.0.2", "127.0.0.1", "rubbish"]}
    evidence.before("relay")["status"]["reservations"][1]["observed"] = None
    evidence.after("relay")["status"] = None
    log = Log()
    log.at(0.7, m.ADDRESS_SYNTHESIZED, direction="inbound", addr="[2001:db8::9]:1", peer=SERVER, session="x")
    log.at(0.7, m.ADDRESS_SYNTHESIZED, direction="inbound", addr="rubbish", peer=SERVER, session="x")
    evidence.journals["client"] += log.lines
    directory = evidence.write(tmp_path_factory.mktemp("run"))
    redactor = redactor_for(Case(load(directory / "raw")))
    text = "203.0.113.10 203.0.113.30 203.0.113.20 10.2.0.2 10.1.0.2 fd12:3456:789a::1 2001:db8::9"
    assert redactor.text(text) == (
        "<RELAY_IP> <HOME_IP> <CLIENT_VPS_IP> <SERVER_LAN_IP> <CLIENT_LAN_IP> fd12:3456:789a::1 <OTHER_IP_1>"
    )
