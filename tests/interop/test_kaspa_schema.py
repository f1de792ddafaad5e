"""Our wire schema and protocol version against those of kaspad, as the crates registry publishes it."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from kaspa_node import networks
from kaspa_node.kaspa.protowire import messages_pb2, p2p_pb2

VERSION = "2.1.0"
SCHEMA, FLOWS = "kaspa-p2p-lib", "kaspa-p2p-flows"
"""Its crates. The second one depends on the first."""

FORK = {
    "NetAddress": frozenset(
        ("services", "relayPort", "relayCapacity", "relayTtlMs", "relayRole", "libp2pPeerId", "relayCircuitHint")
    )
}
"""Fields that only the libp2p fork knows, by message."""

FETCH_SECONDS = 150

Fields = dict[str, tuple[int, int, bool, str]]
"""Of one message, by name: number, type, whether it is repeated, name of the message that it holds."""


@pytest.fixture(scope="module")
def crates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The crates' directories, fetched by cargo as this machine has it set up; skips the tests without one."""
    directory = tmp_path_factory.mktemp("crates")
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed, so nothing can be compared with kaspad's published crates")
    (directory / "src").mkdir()
    (directory / "src" / "lib.rs").write_text("")
    (directory / "Cargo.toml").write_text(
        '[package]\nname = "schema"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[dependencies]\n{FLOWS} = {{ version = "={VERSION}", default-features = false }}\n'
    )
    fetched = subprocess.run(
        ["cargo", "fetch", "--quiet"], cwd=directory, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    if fetched.returncode:
        last = (fetched.stderr.strip().splitlines() or ["no message"])[-1].strip()
        pytest.skip(f"cargo can't fetch {FLOWS} {VERSION}: {last}")
    words = ["cargo", "metadata", "--offline", "--quiet", "--format-version", "1"]
    listing = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=True)
    return {p["name"]: Path(p["manifest_path"]).parent for p in json.loads(listing.stdout)["packages"]}


def published(protos: Path, directory: Path) -> list[DescriptorProto]:
    """The messages of the crate's schema."""
    target = directory / "published"
    words = ["-m", "grpc_tools.protoc", f"-I{protos}", f"--descriptor_set_out={target}", "messages.proto", "p2p.proto"]
    subprocess.run([sys.executable, *words], check=True)
    files = FileDescriptorSet.FromString(target.read_bytes()).file
    return [message for file in files for message in file.message_type]


def fields(message: DescriptorProto) -> Fields:
    """What decides how a message looks on the wire, and what its fields are called."""
    return {
        field.name: (field.number, field.type, field.label == field.LABEL_REPEATED, field.type_name)
        for field in message.field
    }


def ours() -> dict[str, DescriptorProto]:
    """Our messages by name."""
    found: dict[str, DescriptorProto] = {}
    for module in (messages_pb2, p2p_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        found |= {message.name: message for message in file.message_type}
    return found


def test_the_protocol_version_is_that_of_kaspad(crates: dict[str, Path]) -> None:
    source = (crates[FLOWS] / "src" / "flow_context.rs").read_text(encoding="utf-8")
    (version,) = re.findall(r"^const PROTOCOL_VERSION: u32 = (\d+);$", source, re.MULTILINE)
    assert int(version) == networks.PROTOCOL_VERSION


def test_the_schema_is_that_of_kaspad(crates: dict[str, Path], tmp_path: Path) -> None:
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed, so the schema can't be compared with the published crate")
    theirs = {message.name: fields(message) for message in published(crates[SCHEMA] / "proto", tmp_path)}
    known = {
        name: {field: facts for field, facts in fields(message).items() if field not in FORK.get(name, frozenset())}
        for name, message in ours().items()
    }
    assert known == theirs
    assert len(theirs) > 60
