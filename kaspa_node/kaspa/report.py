"""A session's events as lines of the journal."""

from __future__ import annotations

from kaspa_node import milestones
from kaspa_node.journal import Journal
from kaspa_node.kaspa import events, synthetic
from kaspa_node.kaspa.config import BOUND, Transport


class Reporter:
    """Logs what happens in one session, with kaspad's sentences if there are some."""

    def __init__(self, journal: Journal, transport: Transport) -> None:
        self._journal = journal
        self._transport = transport
        self._who = {"peer": transport.peer, "session": transport.session}

    def opened(self) -> None:
        """The session begins."""
        if synthetic.is_synthetic(self._transport.address):
            bound = BOUND[self._transport.direction]
            self._journal.record(
                milestones.ADDRESS_SYNTHESIZED, direction=bound, addr=self._transport.address, **self._who
            )

    def slowed(self, rate: float) -> None:
        """The peer sends more than it may. rate: messages a second."""
        self._journal.info(
            "P2P, slowing down peer %s: it sends more than %g messages a second", self._transport.address, rate
        )

    def event(self, event: events.Event) -> None:
        """Whatever the state machine said; HandshakeDone and Send have no line of their own."""
        record, debug, addr, who = self._journal.record, self._journal.debug, self._transport.address, self._who
        match event:
            case events.VersionSent(protocol, network):
                record(milestones.VERSION_SENT, protocol=protocol, network=network, **who)
            case events.VersionReceived(protocol, applied, network, user_agent):
                record(
                    milestones.VERSION_RECEIVED,
                    protocol=protocol,
                    applied=applied,
                    network=network,
                    user_agent=user_agent,
                    **who,
                )
            case events.VerackReceived():
                record(milestones.VERACK_RECEIVED, **who)
            case events.ReadyReceived():
                record(milestones.READY_RECEIVED, **who)
            case events.RejectSent(reason):
                record(milestones.REJECT_SENT, reason=reason, addr=addr, **who)
            case events.RejectReceived(reason):
                record(milestones.REJECT_RECEIVED, reason=reason, addr=addr, **who)
            case events.PingAnswered(nonce, seconds):
                record(milestones.PING_ANSWERED, addr=addr, nonce=nonce, seconds=seconds, **who)
            case events.PingReceived(nonce):
                debug("P2P Flows, got ping request with nonce %d from peer %s", nonce, addr)
            case events.AddressesReceived(addresses):
                debug("P2P Flows, got %d addresses from peer %s", len(addresses), addr)
            case events.Ignored(kind, size):
                debug("P2P Flows, ignored a %s message of %d bytes from peer %s: no flow for it", kind, size, addr)
            case events.Failed(reason):
                bound = BOUND[self._transport.direction]
                record(milestones.HANDSHAKE_FAILED, bound=bound, addr=addr, reason=reason, **who)
            case events.Closed(reason):
                record(
                    milestones.PEER_DISCONNECTED,
                    direction=self._transport.direction,
                    addr=addr,
                    reason=reason,
                    path=self._transport.path,
                    **who,
                )
            case _:
                pass

    def connected(self, established: events.HandshakeDone, count: int, seconds: float) -> None:
        """The handshake is done. count: ready sessions of this direction; seconds: since the stream was opened."""
        self._journal.info(
            "Registering p2p flows for peer %s for protocol version %d", self._transport.address, established.applied
        )
        self._journal.record(
            milestones.PEER_CONNECTED,
            direction=self._transport.direction,
            addr=self._transport.address,
            bound=BOUND[self._transport.direction],
            count=count,
            path=self._transport.path,
            seconds=seconds,
            **self._who,
        )
