//! The command line.

use std::error::Error;

use libp2p::{identity::Keypair, Multiaddr};

pub enum Role {
    Relay,
    Peer,
}

/// limit_bytes: of a circuit, 0 for no limits. external: at which address others reach this relay.
pub struct Options {
    pub role: Role,
    pub key: Keypair,
    pub listen: Multiaddr,
    pub external: Option<Multiaddr>,
    pub limit_bytes: u64,
    pub limit_seconds: u64,
    pub relay: Option<Multiaddr>,
    pub reserve: bool,
}

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let role = match words.next().as_deref() {
            Some("relay") => Role::Relay,
            Some("peer") => Role::Peer,
            other => return Err(format!("role {other:?}; expected relay or peer").into()),
        };
        let (mut key, mut listen, mut external, mut relay) = (None, None, None, None);
        let (mut limit_bytes, mut limit_seconds, mut reserve) = (0, 0, false);
        while let Some(word) = words.next() {
            if word == "--reserve" {
                reserve = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("no value for {word}"))?;
            match word.as_str() {
                "--key" => key = Some(Keypair::ed25519_from_bytes(seed(&value)?)?),
                "--listen" => listen = Some(value.parse()?),
                "--external" => external = Some(value.parse()?),
                "--relay" => relay = Some(value.parse()?),
                "--limit-bytes" => limit_bytes = value.parse()?,
                "--limit-seconds" => limit_seconds = value.parse()?,
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        Ok(Self {
            role,
            key: key.ok_or("no --key")?,
            listen: listen.ok_or("no --listen")?,
            external,
            limit_bytes,
            limit_seconds,
            relay,
            reserve,
        })
    }
}

fn seed(digits: &str) -> Result<[u8; 32], Box<dyn Error>> {
    if digits.len() != 64 || !digits.is_ascii() {
        return Err("key: expected 64 hex digits".into());
    }
    let mut seed = [0; 32];
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16)?;
    }
    Ok(seed)
}
