"""A Kaspa node behind a NAT: libp2p relay and peer, hole punching, the Kaspa handshake over the punched path."""

__version__ = "0.1.0"
