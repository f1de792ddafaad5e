//! A peer behind a NAT: listener and dialer.

use std::{collections::HashMap, error::Error, time::Duration};

use futures::StreamExt;
use libp2p::{
    core::ConnectedPoint,
    dcutr, identify,
    multiaddr::Protocol,
    noise, relay,
    swarm::{dial_opts::DialOpts, ConnectionId, NetworkBehaviour, StreamProtocol, SwarmEvent},
    tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder,
};
use serde_json::{json, Value};

use crate::{
    echo,
    options::Options,
    report::{failed, report, Commands},
    streams,
};

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    identify: identify::Behaviour,
    streams: streams::Behaviour,
}

/// A connection to a remote, or to the relay.
struct Known {
    peer: PeerId,
    path: &'static str,
}

struct Peer {
    swarm: Swarm<Behaviour>,
    relay: Multiaddr,
    relay_id: PeerId,
    reserve: bool,
    connections: HashMap<ConnectionId, Known>,
    // Dials that this program was told to make; all others are attempts of a hole punch.
    told: Option<ConnectionId>,
    // Path and bytes of the echo whose stream is being opened.
    echo: Option<(String, usize)>,
}

pub async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let relay = options.relay.ok_or("no --relay")?;
    let Some(Protocol::P2p(relay_id)) = relay.iter().last() else {
        return Err("--relay: expected an address that ends with /p2p/<peer id>".into());
    };
    let mut swarm = SwarmBuilder::with_existing_identity(options.key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_relay_client(noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key, relay| Behaviour {
            relay,
            dcutr: dcutr::Behaviour::new(key.public().to_peer_id()),
            identify: identify::Behaviour::new(identify::Config::new("/interop/1".into(), key.public())),
            streams: streams::Behaviour::default(),
        })?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(Duration::from_secs(24 * 3600)))
        .build();
    swarm.listen_on(options.listen)?;
    // A dial goes from the listening port once an address is listened on that leads there: loopback does not.
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } if !is_loopback(&address) => break,
            _ => {}
        }
    }
    swarm.dial(relay.clone())?;
    report("ready", json!({"id": swarm.local_peer_id().to_string()}));
    let mut peer =
        Peer { swarm, relay, relay_id, reserve: options.reserve, connections: HashMap::new(), told: None, echo: None };
    let mut commands = Commands::new();
    loop {
        tokio::select! {
            command = commands.next() => match command? {
                Some(command) => peer.serve(&command),
                None => return Ok(()),
            },
            event = peer.swarm.select_next_some() => peer.take(event)?,
        }
    }
}

impl Peer {
    fn serve(&mut self, command: &Value) {
        let what = command["do"].as_str().unwrap_or_default();
        let done = match command["peer"].as_str().unwrap_or_default().parse::<PeerId>() {
            Ok(remote) => match what {
                "dial" => self.dial(remote),
                "echo" => self.open_echo(remote, command),
                "drop" => self.swarm.disconnect_peer_id(remote).map_err(|()| "not connected".to_string()),
                _ => Err("unknown command".to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = done {
            failed(what, reason);
        }
    }

    fn dial(&mut self, remote: PeerId) -> Result<(), String> {
        let address = self.relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(remote));
        let dial = DialOpts::peer_id(remote).addresses(vec![address]).build();
        self.told = Some(dial.connection_id());
        self.swarm.dial(dial).map_err(|error| error.to_string())
    }

    fn open_echo(&mut self, remote: PeerId, command: &Value) -> Result<(), String> {
        let path = command["path"].as_str().unwrap_or_default();
        let wanted = |known: &Known| known.peer == remote && known.path == path;
        let newest = self.connections.iter().filter(|(_, known)| wanted(known)).map(|(id, _)| *id).max();
        let connection = newest.ok_or_else(|| format!("no {path} connection"))?;
        let name = command["protocol"].as_str().unwrap_or_default().to_string();
        let protocol = StreamProtocol::try_from_owned(name).map_err(|error| error.to_string())?;
        let bytes = command["bytes"].as_u64().unwrap_or_default() as usize;
        self.echo = Some((path.to_string(), bytes));
        self.swarm.behaviour_mut().streams.open(remote, connection, protocol);
        Ok(())
    }

    fn take(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), Box<dyn Error>> {
        match event {
            SwarmEvent::Behaviour(event) => return self.learn(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let path = if endpoint.is_relayed() { "relayed" } else { "direct" };
                self.connections.insert(connection_id, Known { peer: peer_id, path });
                report("connected", about(&peer_id, path, &endpoint));
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, endpoint, .. } => {
                let known = self.connections.remove(&connection_id);
                report("closed", about(&peer_id, known.map_or("", |known| known.path), &endpoint));
            }
            SwarmEvent::Dialing { peer_id: Some(peer), connection_id }
                if peer != self.relay_id && self.told != Some(connection_id) =>
            {
                report("attempt", json!({"peer": peer.to_string()}));
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } if self.told == Some(connection_id) => {
                failed("dial", error);
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => failed("reserve", error),
            _ => {}
        }
        Ok(())
    }

    fn learn(&mut self, event: BehaviourEvent) -> Result<(), Box<dyn Error>> {
        match event {
            // The relay's answer names the address that a hole punch needs: nothing goes on before it is here.
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                report("identified", json!({"peer": peer_id.to_string(), "observed": info.observed_addr.to_string()}));
                if peer_id == self.relay_id && self.reserve {
                    self.reserve = false;
                    self.swarm.listen_on(self.relay.clone().with(Protocol::P2pCircuit))?;
                } else if peer_id == self.relay_id {
                    report("joined", json!({}));
                    report("punching", json!({}));
                }
            }
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { limit, renewal: false, .. }) => {
                let bytes = limit.as_ref().and_then(|limit| limit.data_in_bytes());
                let seconds = limit.as_ref().and_then(|limit| limit.duration()).map(|life| life.as_secs());
                report("reserved", json!({"limit_bytes": bytes, "limit_seconds": seconds}));
                report("punching", json!({}));
            }
            BehaviourEvent::Relay(relay::client::Event::OutboundCircuitEstablished { limit, .. }) => {
                let bytes = limit.as_ref().and_then(|limit| limit.data_in_bytes());
                report("circuit", json!({"limit_bytes": bytes}));
            }
            BehaviourEvent::Dcutr(dcutr::Event { remote_peer_id, result }) => {
                let reason = result.as_ref().err().map(ToString::to_string);
                let over = json!({"peer": remote_peer_id.to_string(), "success": result.is_ok(), "reason": reason});
                report("attempt over", over);
            }
            BehaviourEvent::Streams(streams::Event::Incoming(stream)) => {
                tokio::spawn(echo::serve(stream));
            }
            BehaviourEvent::Streams(streams::Event::Opened(stream)) => {
                if let Some((path, bytes)) = self.echo.take() {
                    tokio::spawn(echo::check(stream, path, bytes));
                }
            }
            BehaviourEvent::Streams(streams::Event::Refused(reason)) => failed("echo", reason),
            _ => {}
        }
        Ok(())
    }
}

fn about(peer: &PeerId, path: &str, endpoint: &ConnectedPoint) -> Value {
    json!({"peer": peer.to_string(), "path": path, "remote": endpoint.get_remote_address().to_string()})
}

fn is_loopback(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip4(ip)) if ip.is_loopback())
}
