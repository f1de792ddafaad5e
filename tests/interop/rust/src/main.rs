//! A libp2p peer or relay on rust-libp2p, for the tests in tests/interop. README.md there describes its commands and
//! events.

mod echo;
mod options;
mod peer;
mod relay;
mod report;
mod streams;

use std::error::Error;

use options::{Options, Role};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    match options.role {
        Role::Relay => relay::run(options).await,
        Role::Peer => peer::run(options).await,
    }
}
