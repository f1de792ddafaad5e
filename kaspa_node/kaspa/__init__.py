"""The Kaspa P2P protocol: wire schema, handshake, flows, and the gRPC stream under them.

Knows nothing of libp2p: a session runs over a local socket, and a Transport says which peer is at its other end. The
protocol's cores (handshake, flows, session) touch no socket, clock or thread; the trio shell (peer_session, service)
and the gRPC border (grpc_*) drive them.
"""
