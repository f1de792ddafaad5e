//! Raw streams on the ids that Kaspa peers use, on a connection of the caller's choice.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures::future::Either;
use libp2p::{
    core::{
        transport::PortUse,
        upgrade::{ReadyUpgrade, SelectUpgrade},
        Endpoint,
    },
    swarm::{
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
    Multiaddr, PeerId,
};

const NEW: StreamProtocol = StreamProtocol::new("/kaspad/transport/1.0.0");
const OLD: StreamProtocol = StreamProtocol::new("/kaspa/p2p/bridge/1.0");

#[derive(Debug)]
pub enum Event {
    Incoming(Stream),
    Opened(Stream),
    Refused(String),
}

#[derive(Default)]
pub struct Behaviour {
    queue: VecDeque<ToSwarm<Event, StreamProtocol>>,
}

impl Behaviour {
    /// Open a stream; Opened or Refused follows.
    pub fn open(&mut self, peer_id: PeerId, connection: ConnectionId, protocol: StreamProtocol) {
        let handler = NotifyHandler::One(connection);
        self.queue.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: protocol });
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        self.queue.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

type Request = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Event>;

#[derive(Default)]
pub struct Handler {
    queue: VecDeque<Request>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = StreamProtocol;
    type ToBehaviour = Event;
    type InboundProtocol = SelectUpgrade<ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(SelectUpgrade::new(ReadyUpgrade::new(NEW), ReadyUpgrade::new(OLD)), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, protocol: StreamProtocol) {
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), ());
        self.queue.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: Either::Left(stream) | Either::Right(stream),
                ..
            }) => Event::Incoming(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                Event::Opened(protocol)
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => Event::Refused(error.to_string()),
            _ => return,
        };
        self.queue.push_back(ConnectionHandlerEvent::NotifyBehaviour(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Request> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
