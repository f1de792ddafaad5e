"""Evidence of real runs in the lab, kept beside this file, and how a run gets there.

    python -m tests.evidence.corpus evidence/RUN NAME

puts a run into `runs/NAME`, its peer ids replaced by those of the made-up evidence. The lab's addresses are private or
for documentation; a run with any other address, or with a path in it, is refused. direct and relay-only are a run and
the next one of the same programs, and so are earlier and later, and native and native-later. In the native ones the
seed's own programs speak Kaspa: on both sides, or on that one.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from functools import cache
from pathlib import Path

from kaspa_node.evidence.correlate import LABELS
from tests.unit.evidence.builder import CLIENT, HOSTS, RELAY, SERVER, Evidence

RUNS = Path(__file__).parent / "runs"
DIRECT, RELAY_ONLY, NOT_PUNCHED, NO_SERVER = "direct", "relay-only", "not-punched", "no-server"
EARLIER, LATER = "earlier", "later"
NOT_PASSING = (RELAY_ONLY, NOT_PUNCHED, NO_SERVER)
NATIVE, NATIVE_LATER, NATIVE_RELAYED, NATIVE_DOWN = "native", "native-later", "native-relayed", "native-down"
NATIVE_CLIENT, NATIVE_SERVER = "native-client", "native-server"
NATIVE_PASSING = (NATIVE, NATIVE_CLIENT, NATIVE_SERVER)

IDS = {"client": CLIENT, "server": SERVER, "relay": RELAY}
_NETWORKS = [
    ipaddress.ip_network(text) for text in ("203.0.113.0/24", "10.0.0.0/8", "fdff::/16", "0.0.0.0/32", "::1/128")
]
_PEER_ID = re.compile(r"12D3Koo[1-9A-HJ-NP-Za-km-z]{45}")
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|(?<=\[)[0-9a-f:]+(?=\])")
_FOREIGN = re.compile(r"/(?:home|root|tmp|work|usr|srv|mnt)/")


def recorded(name: str) -> Evidence:
    """A run of the corpus, to be taken apart: a copy for each caller."""
    return read(RUNS / name / "raw")


@cache
def _files(raw: Path) -> dict[str, str]:
    return {str(path.relative_to(raw)): path.read_text(encoding="utf-8") for path in raw.rglob("*") if path.is_file()}


def read(raw: Path) -> Evidence:
    """The evidence in a `raw` directory."""
    files = _files(raw)
    logs = {
        name: {h: files[f"{h}/{name}.log"].split("\n")[:-1] for h in HOSTS if f"{h}/{name}.log" in files}
        for name in ("journal", "native")
    }
    snapshots = {
        (host, label): json.loads(files[f"{host}/snapshot-{label}.json"])
        for host in HOSTS
        for label in LABELS
        if f"{host}/snapshot-{label}.json" in files
    }
    return Evidence(json.loads(files["run.json"]), logs["journal"], snapshots, native=logs["native"])


def anonymous(texts: dict[str, str]) -> dict[str, str]:
    """The files of a run, by name, with the peer ids of the corpus; ValueError when they tell more than they may."""
    everything = "\n".join(texts.values())
    foreign = {ip for ip in _ADDRESS.findall(everything) if not any(ipaddress.ip_address(ip) in n for n in _NETWORKS)}
    if foreign or _FOREIGN.search(everything):
        raise ValueError(f"not a run of the lab: {sorted(foreign)} {_FOREIGN.findall(everything)}")
    hosts = json.loads(texts["run.json"])["hosts"]
    names = {hosts[host]["peer_id"]: IDS[host] for host in HOSTS}
    strangers = set(_PEER_ID.findall(everything)) - names.keys()
    if strangers:
        raise ValueError(f"peers that run.json does not know: {sorted(strangers)}")
    return {path: _PEER_ID.sub(lambda match: names[match[0]], text) for path, text in texts.items()}


def record(run: Path, name: str) -> None:
    """Put a run into the corpus."""
    for path, text in anonymous(_files(run / "raw")).items():
        target = RUNS / name / "raw" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
