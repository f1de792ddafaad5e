"""How grpcio is set up to speak HTTP/2 with kaspad.

The frame size is that of the fork's libp2p path (connection_handler.rs); before it was raised there, runs died of
FRAME_SIZE_ERROR.
"""

from __future__ import annotations

METHOD = "/protowire.P2P/MessageStream"
SERVICE, METHOD_NAME = "protowire.P2P", "MessageStream"
AUTHORITY = "kaspa.libp2p"

_PLAIN, _GZIP = 0, 2

CLIENT_KEEPALIVE_MS = 330_000

Option = tuple[str, int | str]


def common(max_message_bytes: int) -> list[Option]:
    """Options of both sides; max_message_bytes: of a received message as it comes (there is no limit on sending)."""
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        # grpcio would unpack a message whole, without any bound, before it looks at that limit again.
        ("grpc.per_message_decompression", 0),
        # Plain and gzip, as kaspad: bits by grpcio's numbers of the algorithms.
        ("grpc.compression_enabled_algorithms_bitset", 1 << _PLAIN | 1 << _GZIP),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", 64 << 10),
        ("grpc.http2.max_frame_size", 1 << 20),
        # What a peer may send before we read it. A longer message gets the window that it needs.
        ("grpc.http2.lookahead_bytes", 1 << 20),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Without this one the keepalive timeout is one minute, whatever the option of that name says.
        ("grpc.http2.ping_timeout_ms", 10_000),
    ]


def client(max_message_bytes: int) -> list[Option]:
    """Options of a channel for one call over one connection."""
    return [
        *common(max_message_bytes),
        # gRPC's servers allow a ping each five minutes by default, and only while a call is open. After the third that
        # comes earlier they end the connection for "too_many_pings". What dies under us sooner is found by the
        # libp2p connection, and a peer that no longer answers by Kaspa's own pings.
        ("grpc.keepalive_time_ms", CLIENT_KEEPALIVE_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.default_authority", AUTHORITY),
        # Channels to equal targets would share a connection, and so two peers would.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]


def server(max_message_bytes: int) -> list[Option]:
    """Options of the server; a connection is one peer, and has one call."""
    return [
        *common(max_message_bytes),
        # No policy limits a server's pings.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.max_concurrent_streams", 1),
        # A connection that opens no call, or whose call is over, is closed.
        ("grpc.max_connection_idle_ms", 10_000),
        ("grpc.server_handshake_timeout_ms", 10_000),
        # kaspad's keepalive pings come as often as it likes.
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
        ("grpc.so_reuseport", 0),
    ]
