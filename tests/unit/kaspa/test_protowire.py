"""The schema against the table of Kaspa's wire, and the generated modules against the schema."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kaspa_node.kaspa.protowire import messages_pb2, p2p_pb2
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path("kaspa_node/kaspa/protowire")

PAYLOADS = """
1 addresses 2 block 3 transaction 5 blockLocator 6 requestAddresses 10 requestRelayBlocks 12 requestTransactions
13 ibdBlock 14 invRelayBlock 15 invTransactions 16 ping 17 pong 19 verack 20 version 21 transactionNotFound 22 reject
25 pruningPointUtxoSetChunk 26 requestIBDBlocks 27 unexpectedPruningPoint 30 ibdBlockLocator
31 ibdBlockLocatorHighestHash 33 requestNextPruningPointUtxoSetChunk 34 donePruningPointUtxoSetChunks
35 ibdBlockLocatorHighestHashNotFound 36 blockWithTrustedData 37 doneBlocksWithTrustedData
40 requestPruningPointAndItsAnticone 41 blockHeaders 42 requestNextHeaders 43 DoneHeaders
44 requestPruningPointUTXOSet 45 requestHeaders 46 requestBlockLocator 47 pruningPoints 48 requestPruningPointProof
49 pruningPointProof 50 ready 51 blockWithTrustedDataV4 52 trustedData 53 requestIBDChainBlockLocator
54 ibdChainBlockLocator 55 requestAntipast 56 requestNextPruningPointAndItsAnticoneBlocks 57 blockBody
58 requestBlockBodies 59 requestPruningPointSmtState 60 smtMetadata 61 smtLaneChunk
63 requestNextPruningPointSmtChunk 64 pruningPointProofChunk 65 pruningPointProofChunksEnd 66 trustedDataChunk
67 trustedDataChunksEnd
"""

FIELDS = {
    "VersionMessage": "1 protocolVersion 2 services 3 timestamp 4 address 5 id 6 userAgent 8 disableRelayTx "
    "9 subnetworkId 10 network",
    "NetAddress": "1 timestamp 2 services 3 ip 4 port 5 relayPort 6 relayCapacity 7 relayTtlMs 8 relayRole "
    "9 libp2pPeerId 10 relayCircuitHint",
    "BlockHeader": "1 version 3 hashMerkleRoot 4 acceptedIdMerkleRoot 5 utxoCommitment 6 timestamp 7 bits 8 nonce "
    "9 daaScore 10 blueWork 12 parents 13 blueScore 14 pruningPoint",
    "TransactionMessage": "1 version 2 inputs 3 outputs 4 lockTime 5 subnetworkId 6 gas 8 payload 9 storage_mass",
    "TransactionInput": "1 previousOutpoint 2 signatureScript 3 sequence 4 compute_commit",
    "TransactionOutput": "1 value 2 scriptPublicKey 3 covenant",
    "UtxoEntry": "1 amount 2 scriptPublicKey 3 blockDaaScore 4 isCoinbase 5 covenantId",
    "GhostdagData": "1 blueScore 2 blueWork 3 selectedParent 4 mergeSetBlues 5 mergeSetReds 6 bluesAnticoneSizes",
    "SmtLaneEntry": "1 data 2 blueScore 3 proof",
    "PruningPointProofChunkMessage": "1 chunk 2 level",
    "TrustedDataChunkMessage": "1 headers",
    "RequestAddressesMessage": "1 includeAllSubnetworks 2 subnetworkId",
}


def numbered(text: str) -> dict[str, int]:
    words = text.split()
    return {name: int(number) for number, name in zip(words[::2], words[1::2], strict=True)}


def test_payload_numbers() -> None:
    fields = KaspadMessage.DESCRIPTOR.oneofs_by_name["payload"].fields
    assert {field.name: field.number for field in fields} == numbered(PAYLOADS)


def test_route_numbers() -> None:
    fields = KaspadMessage.DESCRIPTOR.fields_by_name
    assert (fields["response_id"].number, fields["request_id"].number) == (101, 102)


@pytest.mark.parametrize("name", FIELDS)
def test_field_numbers(name: str) -> None:
    fields = getattr(p2p_pb2, name).DESCRIPTOR.fields
    assert {field.name: field.number for field in fields} == numbered(FIELDS[name])


def test_bytes_of_a_ping() -> None:
    """Written out by hand: payload 16 of length 2, its field 1 a varint of 5."""
    assert KaspadMessage(ping=p2p_pb2.PingMessage(nonce=5)).SerializeToString() == bytes([0x82, 0x01, 0x02, 0x08, 0x05])


def test_the_service_has_kaspads_path() -> None:
    service = messages_pb2.DESCRIPTOR.services_by_name["P2P"]
    (method,) = service.methods
    assert f"/{service.full_name}/{method.name}" == "/protowire.P2P/MessageStream"
    assert method.client_streaming
    assert method.server_streaming


def unversioned(text: str) -> str:
    """A generated module without the version of the compiler that made it."""
    text = re.sub(r"# Protobuf Python Version: .*", "", text)
    return re.sub(r"(_runtime_version\.Domain\.PUBLIC),\s+\d+,\s+\d+,\s+\d+,", r"\1,", text)


def test_the_modules_run_on_every_protobuf_6_33() -> None:
    for module in ("messages_pb2.py", "p2p_pb2.py"):
        made_by = re.search(r"# Protobuf Python Version: (\d+)\.(\d+)\.", (ROOT / PACKAGE / module).read_text())
        assert made_by is not None
        assert tuple(map(int, made_by.groups())) <= (6, 33)


def test_generating_gives_the_committed_modules(tmp_path: Path) -> None:
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed, so the protobuf modules can't be compared with their schema")
    script = ROOT / "scripts" / "generate_protowire.py"
    subprocess.run([sys.executable, str(script), "--output", str(tmp_path)], check=True)
    for name in ("messages_pb2.py", "messages_pb2.pyi", "p2p_pb2.py", "p2p_pb2.pyi"):
        made, committed = (unversioned((base / PACKAGE / name).read_text()) for base in (tmp_path, ROOT))
        assert made == committed, f"{name} is stale: run scripts/generate_protowire.py"
