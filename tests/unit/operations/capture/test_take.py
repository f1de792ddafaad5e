"""Packets are taken at all places at once; one that can't give any spoils nothing for the others."""

from __future__ import annotations

import base64
import sys
import threading
from typing import Any

import pytest

from operations.capture.plan import Place
from operations.capture.store import Taken
from operations.capture.take import Errand, Limits, Pings, Target, lacking, take
from operations.capture.targets import Router
from operations.connection_settings import ConnectionSettings
from operations.link import Link, Ran
from operations.problems import HostProblem, OperationProblem
from tests.unit.operations.capture.test_pcap import ETHERNET, ONE, OTHER, frame, header, record, segment
from tests.unit.operations.hosts import Answer, ScriptedLink, node, printed

PCAP = header(ETHERNET) + record(frame(ETHERNET, segment(ONE, OTHER)))
TOLD = "# tcpdump: listening on any\n# 0 packets dropped by kernel\n"
GIVEN = f"{TOLD}{base64.b64encode(PCAP).decode()}\n#end\n"
CLIENT, SERVER = node("client"), node("server")
ROUTER = Router(
    "nat-client", "client", ("nsenter", "--net=/run/netns/kl-nat-client", "--"), ConnectionSettings(address=None)
)
TARGETS: list[Target] = [CLIENT, SERVER, ROUTER]
PLACES = {each.name: Place(each.name, each is ROUTER, "any", "tcp and host 10.1.0.2") for each in TARGETS}
LIMITS = Limits(2.5, 4096)


class Lab:
    """Links by the name of a place; None where it can't be reached."""

    def __init__(self, **answers: Answer | None) -> None:
        self.links = {
            name.replace("_", "-"): None
            if answer is None
            else ScriptedLink({"-S": answer, "sh": answer, "exercise": {"pings": 3}})
            for name, answer in answers.items()
        }

    def connect(self, target: Errand, timeout: float, interrupted: threading.Event) -> Link:
        link = self.links["client" if isinstance(target, Pings) else target.name]
        if link is None:
            raise HostProblem("can't be reached", target.name)
        return link

    def take(self, **words: Any) -> dict[str, Any]:
        return take(PLACES, TARGETS, LIMITS, timeout=20, connect=self.connect, **words)


def test_every_place_gives_its_packets() -> None:
    lab = Lab(client=GIVEN, server=GIVEN, nat_client=GIVEN)
    found = lab.take()
    assert list(found) == ["client", "server", "nat-client"]
    for name, taken in found.items():
        assert isinstance(taken, Taken)
        assert (taken.place, taken.capture.content, taken.capture.packets) == (PLACES[name], PCAP, 1)
        assert (taken.dropped, taken.full) == (0, False)


def test_the_command_goes_into_the_router() -> None:
    lab = Lab(client=GIVEN, server=GIVEN, nat_client=GIVEN)
    lab.take()
    host, router = lab.links["client"], lab.links["nat-client"]
    assert host is not None
    assert router is not None
    assert router.asked == [[*ROUTER.enter, sys.executable, *host.asked[0][1:]]]
    assert host.asked[0][0] == "python3"
    assert host.asked[0][-5:] == ["tcpdump", "2.5", "4096", "any", "tcp and host 10.1.0.2"]


def test_a_place_that_gives_nothing_spoils_nothing() -> None:
    refused = "# tcpdump: any: You don't have permission to perform this capture on that device\n#end\n"
    found = Lab(client=GIVEN, server=refused, nat_client=None).take(pings=Pings(CLIENT, "17e9.1", 3))
    assert isinstance(found["client"], Taken)
    assert str(found["server"]) == (
        "server: no packets can be captured: any: You don't have permission to perform this capture on that device"
    )
    assert str(found["nat-client"]) == "nat-client: can't be reached"
    assert found["pings of client"] == {"pings": 3}


@pytest.mark.parametrize(
    ("output", "why"),
    [(TOLD, "it ended without a word"), (f"{TOLD}aGVsbG8=\n#end\n", "these bytes are not a pcap file")],
)
def test_a_recording_that_is_none(output: str, why: str) -> None:
    found = Lab(client=output, server=GIVEN, nat_client=GIVEN).take()
    assert str(found["client"]) == f"client: no packets can be captured: {why}"


def test_places_without_tcpdump_are_named() -> None:
    lab = Lab(client=printed(""), server=Ran(1, b"", b""), nat_client=Ran(127, b"", b""))
    found: dict[str, OperationProblem] = lacking(TARGETS, 20, connect=lab.connect)
    assert [str(problem) for problem in found.values()] == [
        "server: tcpdump is not installed there: apt-get install tcpdump",
        "nat-client: tcpdump is not installed on this machine: apt-get install tcpdump",
    ]
