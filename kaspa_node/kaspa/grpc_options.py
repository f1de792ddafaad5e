"""How grpcio is set up to speak HTTP/2 as kaspad does.

The windows, frame size and keepalive are those of the fork's libp2p path (connection_handler.rs); before they were
raised there, runs died of FRAME_SIZE_ERROR.
"""

from __future__ import annotations

METHOD = "/protowire.P2P/MessageStream"
SERVICE, METHOD_NAME = "protowire.P2P", "MessageStream"
AUTHORITY = "kaspa.libp2p"

Option = tuple[str, int | str]


def common(max_message_bytes: int) -> list[Option]:
    """Options of both sides; max_message_bytes: of a received message, unpacked (there is no limit on sending)."""
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", 64 << 10),
        ("grpc.http2.max_frame_size", 1 << 20),
        ("grpc.http2.lookahead_bytes", 8 << 20),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Without this one the keepalive timeout is one minute, whatever the option of that name says.
        ("grpc.http2.ping_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def client(max_message_bytes: int) -> list[Option]:
    """Options of a channel that carries one call over one connection."""
    return [
        *common(max_message_bytes),
        ("grpc.default_authority", AUTHORITY),
        # Channels to equal targets would share a connection, and so two peers would.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    ]


def server(max_message_bytes: int) -> list[Option]:
    """Options of the server; a connection is one peer, and has one call."""
    return [
        *common(max_message_bytes),
        ("grpc.max_concurrent_streams", 1),
        # A connection that opens no call, or whose call is over, is closed.
        ("grpc.max_connection_idle_ms", 10_000),
        ("grpc.server_handshake_timeout_ms", 10_000),
        # kaspad's keepalive pings come as often as it likes.
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
        ("grpc.so_reuseport", 0),
    ]
