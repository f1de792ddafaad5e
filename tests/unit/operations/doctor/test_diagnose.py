"""The broken set-ups, as facts: what is told of each, and what is told as its consequence only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kaspa_node import milestones as m
from kaspa_node.evidence.endpoints import Endpoint
from kaspa_node.settings import AllowList
from kaspa_node.settings.addresses import parse_relay
from kaspa_node.settings.values import LocalAddress, Remote
from operations.doctor.diagnose import Diagnosis, diagnose
from operations.doctor.facts import Backend, Facts, Firewall, Mapped, RemoteState, Service
from operations.doctor.findings import KINDS
from tests.unit.operations.doctor.scene import (
    AT,
    CLIENT_ID,
    NEW_ID,
    RELAY_ID,
    SERVER_ID,
    apart,
    changed,
    healthy,
    line,
    link,
    reached,
    relayed,
    with_settings,
    with_status,
)


def told(facts: Facts) -> Diagnosis:
    return diagnose(facts, "client", "server")


def causes(facts: Facts) -> list[str]:
    return [each.finding.kind for each in told(facts).told if each.part == "cause"]


def consequences(facts: Facts) -> list[str]:
    return [each.finding.kind for each in told(facts).told if each.part == "consequence"]


def test_a_healthy_pair_is_direct_and_nothing_is_found() -> None:
    found = told(healthy())
    assert (found.path, found.unconfirmed, found.told, found.well) == ("direct", None, (), True)
    assert (found.why, found.remedy) == (None, None)


def test_relay_down() -> None:
    facts = apart(healthy(), "dialing", "through relay: 203.0.113.10:4011: Connection refused")
    down = Service("kaspa-relay", "inactive")
    facts = changed(facts, "relay", service=down, status=None, silence="no control socket", key_id=RELAY_ID)
    facts = reached(facts, {("client", AT): "refused", ("server", AT): "refused"})
    for name in ("client", "server"):
        facts = with_status(facts, name, relays=(link(name, state="backoff", reason="refused", observed=None),))
    found = told(facts)
    assert found.path == "nothing"
    assert causes(facts) == ["service-down"]
    assert found.why == "kaspa-relay on relay is not running"
    assert found.remedy == "Start it: fab start --host relay"
    assert consequences(facts) == ["relay-unreachable"] * 2 + ["reservation-missing"] * 2


def test_relay_down_under_a_direct_session_is_told_all_the_same() -> None:
    facts = changed(healthy(), "relay", service=Service("kaspa-relay", "failed", exit_status=1), status=None)
    facts = reached(facts, {("client", AT): "refused", ("server", AT): "refused"})
    assert (told(facts).path, told(facts).well) == ("direct", False)
    assert told(facts).told[0].finding.evidence == "failed, exit code 1"


def test_relay_port_shut_by_its_firewall() -> None:
    facts = changed(apart(healthy()), "relay", firewall=Firewall(True, "ufw: `ufw reject 4000:4100/tcp`"))
    facts = reached(facts, {("client", AT): "timeout", ("server", AT): "timeout"})
    assert causes(facts) == ["relay-firewall"]
    assert told(facts).why == "the firewall of relay blocks the relay's port 4011/tcp"
    assert told(facts).told[0].finding.evidence == "ufw: `ufw reject 4000:4100/tcp`"
    assert told(facts).remedy == "Deploy again, or on relay: ufw prepend allow 4011/tcp."
    assert consequences(facts) == ["relay-unreachable", "relay-unreachable"]


def test_relay_port_that_is_open_for_some_connections_only() -> None:
    facts = changed(apart(healthy()), "relay", firewall=Firewall(True, partly="ufw: `ufw limit 4011/tcp`"))
    facts = reached(facts, {("client", AT): "refused", ("server", AT): "refused"})
    assert causes(facts) == ["relay-firewall"]
    assert told(facts).why == "the firewall of relay lets only some connections in to the relay's port 4011/tcp"


def test_relay_port_shut_by_a_filter_that_deploy_leaves_alone() -> None:
    facts = changed(apart(healthy()), "relay", firewall=Firewall(False, "iptables: -A INPUT -j REJECT", others=True))
    facts = reached(facts, {("client", AT): "timeout", ("server", AT): "timeout"})
    assert causes(facts) == ["relay-firewall"]
    assert told(facts).remedy == "On relay, let 4011/tcp in before that rule, with the program that made it."


def test_what_throws_ufws_rules_away_is_a_warning() -> None:
    wall = Firewall(True, replaced="nftables.service replaces all rules", remedy="disable it")
    warned = told(changed(healthy(), "relay", firewall=wall))
    assert [(each.part, each.finding.kind) for each in warned.told] == [("warning", "firewall-replaced")]
    assert warned.why == "relay throws ufw's rules away at boot or at a reload"
    assert warned.remedy == "On relay, put its rules into ufw and disable it."


def test_relay_port_that_is_shut_by_the_ip_version_that_peers_do_not_use_is_a_warning() -> None:
    wall = Firewall(True, "ip6tables: -A INPUT -j REJECT", others=True, family=6)
    warned = told(changed(healthy(), "relay", firewall=wall))
    assert [(each.part, each.finding.kind) for each in warned.told] == [("warning", "relay-half-open")]
    assert warned.why == "the firewall of relay blocks the relay's port 4011/tcp by IPv6"
    facts = reached(changed(apart(healthy()), "relay", firewall=wall), {("client", AT): "timeout"})
    assert causes(facts) == ["relay-unreachable"]


def test_relay_with_a_name_whose_port_is_shut_by_one_ip_version() -> None:
    wall = Firewall(True, "ip6tables: -A INPUT -j REJECT", others=True, family=6)
    facts = changed(apart(healthy()), "relay", firewall=wall, announced="relay.example.org:4011")
    facts = reached(facts, {("client", "relay.example.org:4011"): "timeout", ("client", AT): "timeout"})
    assert "relay-firewall" in causes(facts)


def test_relay_port_shut_on_the_way() -> None:
    facts = reached(apart(healthy()), {("client", AT): "timeout"})
    assert causes(facts) == ["relay-unreachable"]
    assert told(facts).why == "client can't connect to relay at 203.0.113.10:4011"
    assert "Open 4011/tcp towards relay" in (told(facts).remedy or "")


def test_relay_address_wrong() -> None:
    wrong = parse_relay(f"/ip4/203.0.113.99/tcp/4011/p2p/{RELAY_ID}")
    facts = with_settings(apart(healthy()), "client", relays=(wrong,), remotes=(Remote("server", SERVER_ID, (wrong,)),))
    facts = reached(facts, {("client", "203.0.113.99:4011"): "timeout", ("client", AT): "open"})
    assert causes(facts) == ["relay-address"]
    first = told(facts).told[0].finding
    assert first.text == ("client looks for relay at 203.0.113.99:4011, and the inventory has it at 203.0.113.10:4011")
    assert first.evidence == "TCP from client: 203.0.113.99:4011 gave no answer, 203.0.113.10:4011 is open"
    assert "relay-unreachable" in consequences(facts)


def test_something_else_answers_at_the_relays_address() -> None:
    reason = "what answers at 203.0.113.10:4011 is no libp2p relay: expected /multistream/1.0.0"
    facts = with_status(apart(healthy()), "client", relays=(link("client", state="backoff", reason=reason),))
    assert causes(facts) == ["relay-address"]


def test_no_reservation_since_the_relay_does_not_list_the_peer() -> None:
    facts = with_settings(apart(healthy(), "waiting"), "relay", allow=AllowList(peer_ids=frozenset({CLIENT_ID})))
    reason = "the relay answered PERMISSION_DENIED"
    facts = with_status(facts, "server", relays=(link("server", state="backoff", reason=reason),))
    facts = with_status(facts, "relay", reserved=frozenset({CLIENT_ID}))
    assert causes(facts) == ["not-allowed"]
    assert told(facts).why == (
        "server is not on the allow list of relay, so it may neither reserve nor open circuits there"
    )
    assert consequences(facts) == ["reservation-missing"]


def test_no_reservation_for_the_relay_is_full() -> None:
    reason = "the relay answered RESERVATION_REFUSED"
    facts = with_status(apart(healthy()), "server", relays=(link("server", state="backoff", reason=reason),))
    assert causes(facts) == ["reservation-missing"]
    assert told(facts).remedy == "The relay has no room: raise kaspa_relay_max_reservations and deploy again."


def test_a_reservation_that_only_the_peer_believes_in() -> None:
    facts = with_status(apart(healthy()), "relay", reserved=frozenset({CLIENT_ID}))
    assert causes(facts) == ["reservation-missing"]


def test_a_peer_that_is_set_to_reserve_nothing() -> None:
    facts = with_settings(apart(healthy(), "waiting"), "server", reserve=False)
    facts = with_status(facts, "server", relays=(link("server", state="connected"),))
    assert causes(facts) == ["not-reserving"]


def test_the_peers_service_is_down() -> None:
    facts = changed(apart(healthy(), "waiting"), "server", service=Service("kaspa-peer", "inactive"), status=None)
    assert causes(facts) == ["service-down"]
    assert told(facts).why == "kaspa-peer on server is not running"
    assert told(facts).unconfirmed == "server"


def test_a_peer_that_ends_again_and_again_is_told_with_its_last_line() -> None:
    service = Service("kaspa-peer", "activating", exit_status=1, restarts=7, last="| ValueError: no")
    facts = changed(apart(healthy()), "server", service=service, status=None)
    assert causes(facts) == ["service-crashing"]
    assert "7 times by itself, exit code 1; last line: | ValueError: no" in told(facts).told[0].finding.evidence


def test_a_peer_that_is_frozen() -> None:
    service = Service("kaspa-peer", "active", stopped=True)
    facts = changed(apart(healthy()), "server", service=service, status=None, silence="no answer within 5 s")
    assert causes(facts) == ["service-silent"]
    assert told(facts).why == "kaspa-peer on server is stopped by a signal (SIGSTOP)"


def test_systemd_that_does_not_answer_is_told_only_where_the_node_does_not_either() -> None:
    facts = changed(healthy(), "server", service=Service("kaspa-peer", "unknown"))
    assert told(facts).well
    facts = changed(facts, "server", status=None, silence="no answer within 5 s")
    assert causes(facts) == ["service-silent"]


def test_a_wrong_configuration_comes_before_the_service_that_failed_for_it() -> None:
    wrong = 'network: "testnet" (from /etc/kaspa-node/peer.toml) is not known; expected one of mainnet'
    service = Service("kaspa-peer", "failed", exit_status=2, last=f"kaspa-node: {wrong}")
    facts = changed(apart(healthy()), "server", service=service, status=None, settings=None, wrong=wrong)
    assert causes(facts) == ["configuration-wrong"]
    assert told(facts).told[0].finding.evidence == wrong
    assert consequences(facts) == ["service-down"]


def test_a_key_that_changed_comes_before_the_lists_that_name_the_old_one() -> None:
    facts = apart(changed(healthy(), "server", key_id=NEW_ID), "waiting")
    reason = "the relay answered PERMISSION_DENIED"
    facts = with_status(facts, "server", peer_id=NEW_ID, relays=(link("server", state="backoff", reason=reason),))
    facts = with_status(facts, "relay", reserved=frozenset({CLIENT_ID}))
    found = told(facts)
    assert causes(facts) == ["key-changed"]
    assert found.why == "server has another key than when it was deployed, and relay and client still know the old one"
    assert consequences(facts) == ["id-wrong", "not-allowed", "reservation-missing"]


def test_a_key_that_changed_on_the_relay() -> None:
    facts = apart(changed(healthy(), "relay", key_id=NEW_ID))
    facts = with_status(facts, "relay", peer_id=NEW_ID, reserved=frozenset())
    for name in ("client", "server"):
        reason = f"expected peer {RELAY_ID}, but {NEW_ID} answered"
        facts = with_status(facts, name, relays=(link(name, state="backoff", reason=reason),))
    assert causes(facts) == ["key-changed"]
    assert set(consequences(facts)) == {"id-wrong", "reservation-missing"}


def test_a_key_that_changed_and_was_told_to_everybody_is_no_finding() -> None:
    assert told(changed(healthy(), "server", recorded_id=NEW_ID)).well


def test_a_key_file_that_the_node_has_not_read_yet() -> None:
    assert causes(changed(healthy(), "server", key_id=NEW_ID)) == ["key-not-loaded"]


def test_networks_that_differ() -> None:
    facts = with_status(apart(healthy()), "client", network="testnet-10")
    reject = "Network mismatch - local: kaspa-mainnet, remote: kaspa-testnet-10"
    facts = changed(facts, "server", lines=(line(m.REJECT_SENT, reason=reject, peer=CLIENT_ID),))
    assert causes(facts) == ["network-differs"]
    assert told(facts).told[0].finding.evidence == "client is on testnet-10, server on mainnet"
    assert told(facts).told[1].finding.evidence == reject
    assert consequences(facts) == ["kaspa-rejected"]


def test_protocol_versions_that_do_not_fit() -> None:
    facts = with_settings(apart(healthy()), "server", minimum_protocol_version=10)
    facts = with_settings(facts, "client", protocol_version=6)
    assert causes(facts) == ["protocol-differs"]


def test_a_reject_that_nothing_explains() -> None:
    rejected = line(m.REJECT_RECEIVED, reason="LOOPBACK_CONNECTION", peer=SERVER_ID)
    facts = changed(apart(healthy()), "client", lines=(rejected,))
    facts = changed(facts, "server", lines=())
    assert causes(facts) == ["kaspa-rejected"]
    assert told(facts).why == "server rejects the Kaspa handshake"


def _seen(name: str, public: str, first: int, second: int, facts: Facts) -> Facts:
    facts = with_status(facts, name, relays=(link(name, observed=Endpoint(public, first)),))
    return replace(facts, mapped=(*facts.mapped, Mapped(name, "relay (port 22)", Endpoint(public, second))))


def test_both_nats_symmetric() -> None:
    facts = _seen("client", "203.0.113.20", 40123, 51234, relayed(healthy()))
    facts = _seen("server", "203.0.113.30", 33001, 33002, facts)
    found = told(facts)
    assert found.path == "relayed"
    assert causes(facts) == ["nat-symmetric"]
    assert found.why == "the NATs of server and client are both symmetric: no punch can succeed"
    assert found.told[0].finding.evidence == (
        "server: relay saw 203.0.113.30:33001, relay (port 22) saw 203.0.113.30:33002; "
        "client: relay saw 203.0.113.20:40123, relay (port 22) saw 203.0.113.20:51234"
    )
    assert consequences(facts) == ["punch-failed"]
    assert "forward its port (4012/tcp) to it" in (found.remedy or "")


def test_one_nat_symmetric() -> None:
    facts = _seen("server", "203.0.113.30", 33001, 33002, relayed(healthy()))
    assert causes(facts) == ["nat-symmetric"]
    assert told(facts).why == (
        "the NAT of server is symmetric: its dials come from another port than the one that client expects"
    )


def test_a_nat_that_changes_the_port_alike_for_all_is_not_called_symmetric() -> None:
    facts = _seen("server", "203.0.113.30", 24012, 24012, relayed(healthy()))
    assert causes(facts) == ["punch-failed"]
    assert "A firewall between the two" in (told(facts).remedy or "")


def test_punches_that_fail_for_no_known_reason() -> None:
    facts = relayed(healthy())
    assert causes(facts) == ["punch-failed"]
    assert told(facts).why == "the last 3 hole punches between client and server failed"
    assert "server: timeout after 4 s" in told(facts).told[0].finding.evidence


def test_a_policy_that_wants_the_relay() -> None:
    facts = with_settings(relayed(healthy(), punches=False), "client", path_policy="relay-only")
    assert causes(facts) == ["policy"]
    assert consequences(facts) == ["punch-failed"]


def test_both_behind_one_public_address() -> None:
    same = Endpoint("203.0.113.20", 4013)
    facts = with_status(relayed(healthy()), "server", relays=(link("server", observed=same),))
    assert causes(facts) == ["nat-shared"]


def test_a_relay_connection_from_another_port() -> None:
    facts = with_status(relayed(healthy()), "server", relays=(link("server", observed=None),))
    assert causes(facts) == ["port-not-used"]


@pytest.mark.parametrize(("ahead", "words"), [(600.0, "600 s ahead of"), (-42.0, "42 s behind")])
def test_a_clock_that_is_off_is_a_warning(ahead: float, words: str) -> None:
    found = told(changed(healthy(), "client", clock_ahead=ahead))
    assert [(each.finding.kind, each.part) for each in found.told] == [("clock-off", "warning")]
    assert found.told[0].finding.evidence == f"{words} the controller's"
    assert (found.path, found.well) == ("direct", False)


def test_clocks_that_are_all_off_alike_are_the_controllers() -> None:
    facts = healthy()
    for name in facts.hosts:
        facts = changed(facts, name, clock_ahead=-100.0)
    [only] = told(facts).told
    assert only.finding.text == "the controller's clock is off: all hosts differ from it alike"


def test_an_external_backend_that_is_down() -> None:
    address = LocalAddress(None, "::1", 50051)
    facts = with_settings(healthy(), "server", backend="external", backend_address=address)
    refusing = Backend(str(address), "refusing", "Connection refused")
    facts = with_status(reached(facts, {("server", str(address)): "refused"}), "server", backend=refusing)
    assert causes(facts) == ["backend-down"]
    assert told(facts).told[0].finding.evidence == (
        "connecting from server was refused; kaspa-node says refusing: Connection refused"
    )


def test_with_an_external_backend_the_path_counts_before_a_program_uses_it() -> None:
    facts = with_settings(healthy(), "client", backend="external")
    facts = with_status(with_status(facts, "client", sessions=()), "server", sessions=())
    assert (told(facts).path, told(facts).unconfirmed) == ("direct", "server")
    facts = with_status(facts, "server", backend=Backend("[::1]:50051", "unknown", None))
    assert (told(facts).path, told(facts).unconfirmed) == ("direct", None)
    assert told(changed(facts, "server", status=None)).unconfirmed == "server"


def test_two_peers_of_which_neither_dials() -> None:
    facts = changed(apart(healthy()), "client", dials=())
    facts = with_status(with_settings(facts, "client", remotes=()), "client", remotes=())
    assert causes(facts) == ["not-dialed"]


def test_what_nothing_explains_is_told_with_the_nodes_own_reason() -> None:
    facts = with_status(apart(healthy()), "client", remotes=(RemoteState("server", SERVER_ID, "dialing", "no answer"),))
    assert causes(facts) == ["no-session"]
    assert told(facts).told[0].finding.evidence == "client: state dialing: no answer"


def test_a_session_that_is_under_way() -> None:
    found = told(apart(healthy(), "punching"))
    assert (found.path, found.remedy) == ("nothing", "It is in progress: ask again in a few seconds.")


def test_kinds_explain_only_what_stands_below_them() -> None:
    names = [kind.name for kind in KINDS]
    for place, kind in enumerate(KINDS):
        assert set(kind.explains) <= set(names[place + 1 :]) | {kind.name}, kind.name


def test_two_peers_with_no_relay_in_common() -> None:
    other = parse_relay(f"/ip4/203.0.113.50/tcp/4011/p2p/{NEW_ID}")
    facts = with_settings(apart(healthy()), "client", relays=(other,), remotes=(Remote("server", SERVER_ID, (other,)),))
    assert causes(facts) == ["relay-none"]
    assert told(facts).told[0].finding.evidence == "client: 203.0.113.50:4011; server: 203.0.113.10:4011"
