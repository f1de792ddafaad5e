"""A public host gets a private address behind a 1:1 NAT that has its public one, as the VMs of many providers.

Everything that arrives at the public address is forwarded to the host, whatever the port. The host itself knows its
private address only. The change lasts until the lab is taken down.
"""

from __future__ import annotations

from lab.command import run
from lab.errors import LabError
from lab.namespaces import NamedNamespaces
from lab.topology import GATEWAY, PUBLIC_PORT, Host

ROUTER = "nat-one"
"""The namespace of the router."""

PRIVATE, INSIDE = "10.3.0.2", "10.3.0.1"


def rules(public: str) -> str:
    """The router's rule set, as an nft script."""
    return f"""table ip nat {{
  chain incoming {{
    type nat hook prerouting priority dstnat; policy accept;
    iifname "wan" ip daddr {public} dnat to {PRIVATE}
  }}
  chain outgoing {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" ip saddr {PRIVATE} snat to {public}
  }}
}}
"""


def place_behind(host: Host) -> None:
    """Put this running public host behind a 1:1 NAT. Raises LabError."""
    if not host.public:
        raise LabError(f"{host.name} has no public address")
    names = NamedNamespaces()
    names.create([ROUTER])
    inside, router = names.enter(host.name), names.enter(ROUTER)
    # The interface on the public segment moves to the router, because the hub keeps its other end.
    run([*inside, "ip", "link", "set", PUBLIC_PORT, "netns", names.path(ROUTER)])
    link = f"link add lan type veth peer name {PUBLIC_PORT} netns {names.path(host.name)}"
    wan = [f"link set {PUBLIC_PORT} name wan", f"address add {host.address}/24 dev wan", "link set wan up"]
    lan = [link, f"address add {INSIDE}/24 dev lan", "link set lan up", f"route add default via {GATEWAY}"]
    run([*router, "ip", "-batch", "-"], stdin="\n".join(["link set lo up", *wan, *lan]) + "\n")
    own = [
        f"address add {PRIVATE}/24 dev {PUBLIC_PORT}",
        f"link set {PUBLIC_PORT} up",
        f"route add default via {INSIDE}",
    ]
    run([*inside, "ip", "-batch", "-"], stdin="\n".join(own) + "\n")
    run([*router, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    run([*router, "nft", "-f", "-"], stdin=rules(host.address))
