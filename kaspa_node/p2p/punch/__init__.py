"""DCUtR: a direct connection through two NATs, agreed over the relayed one (libp2p specs, relay/DCUtR.md)."""
