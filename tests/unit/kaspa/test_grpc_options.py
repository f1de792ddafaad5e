"""The options that other gRPC implementations hold against us."""

from __future__ import annotations

from kaspa_node.kaspa import grpc_options

# What a server of grpcio or grpc-go enforces unless it is told otherwise (gRFC A8 and A9): a ping each five minutes,
# and none without a call. The third that comes earlier ends the connection with GOAWAY "too_many_pings".
SHORTEST_INTERVAL_MS = 300_000


def test_a_client_pings_no_more_often_than_servers_allow_by_default() -> None:
    options = dict(grpc_options.client(1 << 20))
    assert int(options["grpc.keepalive_time_ms"]) > SHORTEST_INTERVAL_MS
    assert options["grpc.keepalive_permit_without_calls"] == 0
    # Its default: after two pings without data between them there are no more.
    assert "grpc.http2.max_pings_without_data" not in options


def test_no_side_has_grpc_unpack_messages() -> None:
    for options in (grpc_options.client(1 << 20), grpc_options.server(1 << 20)):
        assert dict(options)["grpc.per_message_decompression"] == 0
