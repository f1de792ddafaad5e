"""libp2p for two peers behind NATs: secure channel, muxer, relay, reservation, hole punch.

The library `libp2p` gives identities and the wire messages. What decides speed and truth is here: each protocol a core
without socket or clock, driven by a thin trio shell. Connections know nothing of Kaspa; `kaspa_node.bridge` joins them.
"""
