"""A Kaspa node behind a NAT: libp2p relay and peer, hole punching, and the Kaspa P2P handshake over the punched path."""

__version__ = "0.1.0"
