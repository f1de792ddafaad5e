"""The NAT routers' rules, as nft scripts: what each mode maps, and what it drops.

Modes: `plain` keeps the port if possible (as most home routers do), `symmetric` uses another random port for each
destination (no hole punch is possible), `eim` changes the peer's port but uses the same for every destination,
`rst` is plain but answers an unsolicited SYN with RST.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lab.command import run
from lab.network import Namespaces
from lab.topology import PEER_TCP_PORT, ROUTERS, Router, host

MODES = ("plain", "symmetric", "eim", "rst")
EIM_PORT = 20000 + PEER_TCP_PORT
"""The public port that `eim` maps the peer's port to."""

COUNTERS = ("in_drop", "fwd_drop", "direct_out", "direct_in", "relay_out", "relay_in")


RELAYS = (host("relay").address,)
"""The relay whose traffic is counted, unless the lab has others."""


def rules(router: Router, mode: str, relays: Sequence[str] = RELAYS) -> str:
    """The router's whole rule set, replacing the one before; `relays`: addresses whose traffic is counted apart.

    Raises ValueError for an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"no NAT mode {mode!r}; there are {', '.join(MODES)}")
    masquerade = "masquerade fully-random" if mode == "symmetric" else "masquerade"
    mapped = f'oifname "wan" tcp sport {PEER_TCP_PORT} snat to {router.public}:{EIM_PORT}' if mode == "eim" else ""
    unsolicited = "ip protocol tcp counter name in_drop reject with tcp reset" if mode == "rst" else ""
    others = ", ".join(other.public for other in ROUTERS if other is not router)
    counters = "\n".join(f"  counter {name} {{ }}" for name in COUNTERS)
    return f"""flush ruleset
table ip nat {{
  chain translate {{
    type nat hook postrouting priority srcnat; policy accept;
    {mapped}
    oifname "wan" {masquerade}
  }}
}}
table ip filter {{
{counters}
  set relays {{ type ipv4_addr; elements = {{ {", ".join(relays)} }}; }}
  chain to_router {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname {{ "lo", "lan" }} accept
    icmp type echo-request accept
    {unsolicited}
    counter name in_drop drop
  }}
  chain through {{
    type filter hook forward priority filter; policy drop;
    iifname "lan" oifname "wan" ip daddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }} counter name fwd_drop drop
    iifname "lan" oifname "wan" ip daddr {{ {others} }} counter name direct_out
    iifname "wan" oifname "lan" ip saddr {{ {others} }} counter name direct_in
    iifname "lan" oifname "wan" ip daddr @relays counter name relay_out
    iifname "wan" oifname "lan" ip saddr @relays counter name relay_in
    ct state established,related accept
    iifname "lan" oifname "wan" accept
    counter name fwd_drop drop
  }}
}}
"""


@dataclass(frozen=True)
class Counter:
    """What passed a named rule since the router's rules were loaded."""

    packets: int
    bytes: int


def counters(namespaces: Namespaces, router: Router) -> dict[str, Counter]:
    """The router's counters by name (COUNTERS). Raises LabError."""
    listing = json.loads(run([*namespaces.enter(router.name), "nft", "-j", "list", "counters"]))
    found = [entry["counter"] for entry in listing["nftables"] if "counter" in entry]
    return {entry["name"]: Counter(entry["packets"], entry["bytes"]) for entry in found}


def count_relays(namespaces: Namespaces, router: Router, relays: Sequence[str]) -> None:
    """Count the traffic of these addresses as the relays', from now on; mappings and counters stay. Raises LabError."""
    script = f"flush set ip filter relays\nadd element ip filter relays {{ {', '.join(relays)} }}\n"
    run([*namespaces.enter(router.name), "nft", "-f", "-"], stdin=script)


def apply(namespaces: Namespaces, router: Router, mode: str, relays: Sequence[str] = RELAYS) -> None:
    """Load the router's rules and forget its mappings: connections through it are cut, as by a new router."""
    run([*namespaces.enter(router.name), "nft", "-f", "-"], stdin=rules(router, mode, relays))
    run([*namespaces.enter(router.name), "conntrack", "-F"], check=False)


def narrow(namespaces: Namespaces, router: Router, size: int | None) -> None:
    """Drop packets of more than `size` bytes to the other NATs in silence, as behind a bad PPPoE line. None: as before.

    The hosts believe in 1,500 bytes, and no ICMP tells them otherwise. A change of mode ends only the silence.
    """
    inside = namespaces.enter(router.name)
    for other in ROUTERS:
        if other is not router:
            route = [*inside, "ip", "route", "replace" if size else "delete", f"{other.public}/32", "dev", "wan"]
            run([*route, "mtu", "lock", str(size)] if size else route)
    # As a packet that is too long is forwarded, the router itself makes the answer.
    rule = "icmp type destination-unreachable icmp code frag-needed drop"
    chain = f"chain ip silence from_router {{ type filter hook output priority filter; policy accept; {rule}; }}"
    script = f"table ip silence {{ }}\n{chain}\n" if size else "delete table ip silence\n"
    run([*inside, "nft", "-f", "-"], stdin=script)
