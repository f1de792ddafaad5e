//! The relay.

use std::{error::Error, time::Duration};

use futures::StreamExt;
use libp2p::{
    identify, noise, relay,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux, SwarmBuilder,
};
use serde_json::json;

use crate::{
    options::Options,
    report::{report, Commands},
};

// rust-libp2p has no circuits without end: longer than any test runs.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::Behaviour,
    identify: identify::Behaviour,
}

pub async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let limited = options.limit_bytes != 0;
    let config = relay::Config {
        max_circuits: 64,
        max_circuits_per_peer: 16,
        max_circuit_bytes: options.limit_bytes,
        max_circuit_duration: if limited { Duration::from_secs(options.limit_seconds) } else { LONG },
        // The tests open circuits faster than strangers may.
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        ..relay::Config::default()
    };
    let mut swarm = SwarmBuilder::with_existing_identity(options.key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| Behaviour {
            relay: relay::Behaviour::new(key.public().to_peer_id(), config),
            identify: identify::Behaviour::new(identify::Config::new("/interop/1".into(), key.public())),
        })?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(LONG))
        .build();
    swarm.listen_on(options.listen)?;
    // A reservation without an address is refused by its client.
    swarm.add_external_address(options.external.ok_or("no --external")?);
    let mut commands = Commands::new();
    loop {
        tokio::select! {
            command = commands.next() => if command?.is_none() { return Ok(()) },
            event = swarm.select_next_some() => if let SwarmEvent::NewListenAddr { .. } = event {
                report("ready", json!({"id": swarm.local_peer_id().to_string()}));
            },
        }
    }
}
