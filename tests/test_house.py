"""The rules of the house that a machine can check. CONTRIBUTING.md says why each stands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaspa_node import constants
from lab import topology

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400

# What each part of kaspa_node may import of the others; parts higher up stand further down in this table.
BELOW = {
    "constants": set[str](),
    "milestones": set[str](),
    "networks": set[str](),
    "reasons": set[str](),
    "errors": set[str](),
    "shutdown": set[str](),
    "journal": {"milestones"},
    "service_manager": {"journal", "milestones"},
    "identity": {"errors"},
    "control": {"errors"},
    "settings": {"constants", "errors", "milestones", "control", "networks"},
    "evidence": {"constants", "milestones", "reasons"},
    "kaspa": {"errors", "milestones", "journal", "networks", "settings"},
    "p2p": {"constants", "errors", "milestones", "journal", "reasons", "settings"},
    "bridge": {"errors", "milestones", "journal", "p2p"},
}
BELOW["node"] = {
    "constants",
    "reasons",
    "identity",
    "service_manager",
    "shutdown",
    *BELOW["bridge"],
    *BELOW["kaspa"],
    *BELOW["settings"],
    "bridge",
    "kaspa",
}
BELOW["cli"] = {"node", "evidence", *BELOW["node"]}

# State machines: what happens is told to them, with the time, and they say what to do.
CORES = (
    "kaspa_node/evidence",
    "kaspa_node/kaspa/addresses.py",
    "kaspa_node/kaspa/budget.py",
    "kaspa_node/kaspa/flows.py",
    "kaspa_node/kaspa/handshake.py",
    "kaspa_node/kaspa/hub.py",
    "kaspa_node/kaspa/intake.py",
    "kaspa_node/kaspa/session.py",
    "kaspa_node/node/remote/attempt.py",
    "kaspa_node/node/remote/direct_bar.py",
    "kaspa_node/node/remote/events.py",
    "kaspa_node/node/remote/machine.py",
    "kaspa_node/node/remote/relay_choice.py",
    "kaspa_node/p2p/admission.py",
    "kaspa_node/p2p/budget.py",
    "kaspa_node/p2p/relay/messages.py",
    "kaspa_node/p2p/channel/negotiate.py",
    "kaspa_node/p2p/channel/noise.py",
    "kaspa_node/p2p/punch/attempts.py",
    "kaspa_node/p2p/punch/exchange.py",
    "kaspa_node/p2p/relay/ledger.py",
    "kaspa_node/p2p/reservation/keeper.py",
    "kaspa_node/p2p/reservation/life.py",
    "kaspa_node/p2p/channel/yamux.py",
    "operations/capture/pcap.py",
    "operations/capture/plan.py",
    "operations/log_lines.py",
    "operations/overview.py",
    "operations/connection_settings.py",
)
OUTSIDE_WORLD = {
    *("asyncio", "grpc", "select", "selectors", "signal", "socket", "socketserver", "ssl", "subprocess"),
    *("threading", "time", "trio"),
}


# Of operations: what reaches hosts knows nothing above itself, and nobody else knows how hosts are reached.
LINKS = {
    *("link", "local_link", "ssh_link", "supervised", "supervisor", "exchange"),
    *("connection_settings", "known_hosts", "proxy", "ssh_config", "ssh_login"),
}
REACHING = {"local_link", "proxy", "ssh_link", "supervised"}


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("this is no git checkout")
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def python_files() -> list[Path]:
    return [file for file in tracked("*.py", "*.pyi") if "_pb2" not in file.name]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imports(file: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(file: Path, known: set[str]) -> set[str]:
    """The parts of kaspa_node, of those known, that a module imports."""
    names = (name.split(".") for name in imports(file) if name.startswith("kaspa_node."))
    return {words[1] for words in names} & known


def part_of(file: Path) -> str:
    return file.relative_to(ROOT / "kaspa_node").parts[0].removesuffix(".py")


def test_no_file_is_longer_than_a_few_screens() -> None:
    lengths = {name_of(f): len(f.read_text(encoding="utf-8").splitlines()) for f in python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_except_catches_everything() -> None:
    broad = []
    for file in python_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                caught = {kind.id for kind in kinds if isinstance(kind, ast.Name)}
                if node.type is None or caught & {"Exception", "BaseException"}:
                    broad.append(f"{name_of(file)}:{node.lineno}")
    assert broad == []


def test_dependencies_point_downwards() -> None:
    upward = {}
    for file in tracked("kaspa_node/*.py"):
        part = part_of(file)
        if part in BELOW and (wrong := parts_imported(file, set(BELOW)) - BELOW[part] - {part}):
            upward[name_of(file)] = wrong
    assert upward == {}


def test_every_part_has_its_place() -> None:
    parts = {part_of(file) for file in tracked("kaspa_node/*.py")}
    assert parts - set(BELOW) == {"__init__", "__main__"}


@pytest.mark.parametrize(
    ("part", "foreign"),
    [
        ("kaspa_node/kaspa", {"libp2p", "multiaddr", "noise"}),
        ("kaspa_node/p2p", {"grpc"}),
        ("lab", {"kaspa_node", "operations"}),
        ("kaspa_node", {"operations", "lab"}),
    ],
)
def test_a_part_knows_nothing_of(part: str, foreign: set[str]) -> None:
    known = {name_of(f): {name.split(".")[0] for name in imports(f)} & foreign for f in tracked(f"{part}/*.py")}
    assert {name: wrong for name, wrong in known.items() if wrong} == {}


def operations_imported(file: Path) -> set[str]:
    """The modules directly in operations that a module imports."""
    return {name.split(".")[1] for name in imports(file) if name.startswith("operations.")}


def operations_files() -> dict[str, Path]:
    """Each module of operations by its name from there, such as `tasks.status`."""
    files = tracked("operations/*.py")
    return {".".join(file.relative_to(ROOT / "operations").with_suffix("").parts): file for file in files}


def test_a_link_knows_nothing_of_what_it_is_used_for() -> None:
    known = {name: operations_imported(file) - LINKS - {"problems"} for name, file in operations_files().items()}
    assert {name: known[name] for name in LINKS if known[name]} == {}


def test_only_the_fleet_knows_how_hosts_are_reached() -> None:
    known = {name: operations_imported(file) & REACHING for name, file in operations_files().items()}
    assert {name: found for name, found in known.items() if found and name not in {*LINKS, "fleet"}} == {}


def test_only_tasks_know_the_command_line() -> None:
    known = {name: operations_imported(file) & {"operation", "tasks"} for name, file in operations_files().items()}
    outside = {name: found for name, found in known.items() if found and not name.startswith("tasks.")}
    assert outside == {"command_line": {"operation"}}


@pytest.mark.parametrize(
    ("library", "where"),
    [
        ("ansible", {"ansible_inventory"}),
        ("paramiko", {"ssh_link", "ssh_login"}),
        ("fabric", {"operation", "ssh_link"}),
        ("invoke", {"command_line", "operation"}),
        ("lab", {"capture.targets"}),
    ],
)
def test_a_library_is_known_in_few_places(library: str, where: set[str]) -> None:
    found = {name for name, file in operations_files().items() if library in {n.split(".")[0] for n in imports(file)}}
    assert found <= where


@pytest.mark.parametrize("core", CORES)
def test_a_core_touches_no_socket_and_no_clock(core: str) -> None:
    path = ROOT / core
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    touched = {name_of(f): {name.split(".")[0] for name in imports(f)} & OUTSIDE_WORLD for f in files}
    assert {name: wrong for name, wrong in touched.items() if wrong} == {}


def test_evidence_needs_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "kaspa_node"}
    foreign = {name_of(f): {n.split(".")[0] for n in imports(f)} - allowed for f in tracked("kaspa_node/evidence/*.py")}
    assert {name: wrong for name, wrong in foreign.items() if wrong} == {}


KNOWN_CIRCLES = [{"kaspa_node.p2p.channel.connection", "kaspa_node.p2p.channel.stream"}]
"""A connection makes streams, and a stream writes to its connection."""


def test_imports_go_round_in_no_circle() -> None:
    """Those inside of functions and for types only count, too."""
    modules = {module_of(file): file for file in tracked("kaspa_node/*.py", "operations/*.py")}
    graph = {module: modules_imported(file, set(modules)) - {module} for module, file in modules.items()}
    assert circles(graph) == KNOWN_CIRCLES


def modules_imported(file: Path, known: set[str]) -> set[str]:
    """Of `from a import b` this is a.b if that is a module, else a."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= known else {*names, node.module}
    return found & known


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The groups of nodes that can be reached from each other."""
    reached = {node: set(targets) for node, targets in graph.items()}
    for between in graph:
        for targets in reached.values():
            if between in targets:
                targets |= reached[between]
    groups = {frozenset(to for to in reached[node] if node in reached[to]) for node in graph}
    return sorted((set(group) for group in groups if group), key=sorted)


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"a", "f"}, "f": {"e"}}
    assert circles(graph) == [{"a", "b", "c"}, {"e", "f"}]


def written(file: Path) -> Iterator[object]:
    """The numbers and texts in a module; docstrings and other texts that stand alone don't count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone)


def test_a_fact_that_the_node_and_others_go_by_is_written_once() -> None:
    ports, policies = {str(constants.RELAY_PORT), str(constants.PEER_PORT)}, set(constants.PATH_POLICIES)
    # Addresses in examples, such as 203.0.113.20:4012 or /ip4/0.0.0.0/tcp/4012, say nothing about the default.
    port = re.compile(rf"(?<![\w.:/-])(?:{'|'.join(ports)})\b")
    twice = []
    for file in tracked("kaspa_node/*.py", "operations/*.py", "ansible/*.py", "scripts/*.py"):
        values = [str(value) for value in written(file)]
        if name_of(file) != "kaspa_node/constants.py":
            twice += [f"{name_of(file)}: {value}" for value in values if value in policies or port.search(value)]
    for file in tracked("roles/*", "playbooks/*"):
        if name_of(file) != "roles/kaspa_node/vars/main.yml" and file.suffix != ".md":
            twice += [f"{name_of(file)}: {found}" for found in port.findall(file.read_text(encoding="utf-8"))]
    assert twice == []


def test_the_lab_forwards_the_port_that_peers_listen_on() -> None:
    assert constants.PEER_PORT == topology.PEER_TCP_PORT


def test_a_hole_punch_has_the_same_number_of_attempts_everywhere() -> None:
    counted = re.compile(r"\b\w*MAX_\w*ATTEMPTS *(?::[^=\n]*)?= *\d|attempts? (?:in \(|[<>=]=? *[2-9])")
    texts = {name_of(file): file.read_text(encoding="utf-8") for file in tracked("kaspa_node/*.py", "operations/*.py")}
    assert [name for name, text in texts.items() if counted.search(text)] == ["kaspa_node/constants.py"]


def test_no_test_sleeps() -> None:
    """But for trio.sleep under a mock clock, which passes no time."""
    real = re.compile(r"\b(?:time|asyncio)\.sleep\(")
    trios = re.compile(r"\btrio\.sleep\(")
    mocked = re.compile(r"\b(?:autojump_clock|mock_clock|MockClock)\b")
    texts = {name_of(file): file.read_text(encoding="utf-8") for file in tracked("tests/*.py")}
    assert [n for n, t in texts.items() if real.search(t) or (trios.search(t) and not mocked.search(t))] == []


def test_nothing_is_left_unfinished() -> None:
    words = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")
    files = [f for f in python_files() if f != Path(__file__).resolve()]
    assert [name_of(f) for f in files if words.search(f.read_text(encoding="utf-8"))] == []


def package_hosts() -> set[str]:
    """Names of the hosts that this machine gets packages from, as its own configuration has them."""
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*"), Path("/etc/pip.conf")]
    places += [Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"]
    texts = [place.read_text(encoding="utf-8", errors="replace") for place in places if os.access(place, os.R_OK)]
    texts += [value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))]
    return {host for text in texts for host in re.findall(r"https?://(?:[^/@\s]*@)?([^/:\s\"']+)", text)}


def test_no_package_host_is_named() -> None:
    hosts = package_hosts()
    named = [
        f"{name_of(file)} names {host}" for file in tracked() for host in hosts if host.encode() in file.read_bytes()
    ]
    assert named == []


FORMER_NAMES = re.compile(
    r"\b(?:Doors?|Guests?|Way|Carriage\w*|Carried|Carriers?|Standing|Reached|carries|show_out|turn_away)\b"
)


def test_names_are_those_of_the_glossary() -> None:
    files = tracked("kaspa_node/*", "operations/*", "roles/*", "playbooks/*", "docs/*")
    texts = {name_of(f): f.read_text(encoding="utf-8") for f in files}
    assert {name: found for name, text in texts.items() if (found := FORMER_NAMES.findall(text))} == {}


def test_the_locks_name_no_host() -> None:
    assert [
        name_of(file) for file in tracked("requirements/*.txt", "requirements/*.in") if b"://" in file.read_bytes()
    ] == []


def test_the_locks_of_other_languages_name_no_host_but_the_public_index_of_crates() -> None:
    cargo = (ROOT / "tests/interop/rust/Cargo.lock").read_text()
    assert set(re.findall(r"^source = .*", cargo, re.MULTILINE)) == {
        'source = "registry+https://github.com/rust-lang/crates.io-index"'
    }
    assert '"resolved"' not in (ROOT / "tests/interop/js/package-lock.json").read_text()
    assert "://" not in (ROOT / "tests/interop/go/go.sum").read_text()


def test_the_workplace_is_not_in_the_files() -> None:
    checkout = f"{ROOT}/".encode()
    assert [name_of(file) for file in tracked() if checkout in file.read_bytes()] == []
