"""Finds what would make a deploy fail, and says what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

OLDEST_PYTHON = (3, 11)
ARCHITECTURES = ("x86_64", "aarch64")
# Measured: a release has 126 MiB; the wheels take 28 MiB twice; Debian packages for compiling come to about 200 MiB.
LEAST_DISK = 400
LEAST_UPLOAD = 60
LEAST_MEMORY = 200
LARGEST_SKEW = 10.0
DEFAULT_NETWORK = "mainnet"
# sun_path holds 108 bytes on Linux and 104 on macOS, a final zero included.
LONGEST_SOCKET_PATH = 103

Facts = Mapping[str, Any]


def kaspa_host_problems(host: Facts, wanted: Facts) -> list[str]:
    """The problems of one host: `problem; remedy`, empty if there are none.

    host: the result of kaspa_host_facts; wanted: manager, connection, unit_settings, user, state_dir, service, port,
    local_ports, control, group (of shared sockets, or ""), and now (the controller's clock).
    """
    checks = [_system, _moved, _space, _port, _user, _group, _clock]
    return [problem for check in checks for problem in check(host, wanted)]


def _system(host: Facts, wanted: Facts) -> list[str]:
    found = []
    if tuple(int(part) for part in host["python"].split(".")[:2]) < OLDEST_PYTHON:
        remedy = "use Debian 12, Ubuntu 24.04 or newer, or set ansible_python_interpreter to a newer Python there"
        found.append(f"{host['interpreter']} is Python {host['python']}, and 3.11 is needed; {remedy}")
    if host["arch"] not in ARCHITECTURES:
        found.append(f"the machine is {host['arch']}; wheels are built for {' and '.join(ARCHITECTURES)} only")
    if wanted["manager"] != "systemd":
        if wanted["connection"] != "local":
            remedy = "it runs nodes on this machine only, as inventory/local does; remove it for hosts with systemd"
            found.append(f"kaspa_node_manager is process, and the connection is {wanted['connection']}; {remedy}")
        return found
    if not host["systemd"]:
        remedy = "a node runs on hosts with systemd only"
        if wanted["connection"] == "local":
            remedy += ", or as a plain process on this machine, as in inventory/local"
        found.append(f"systemd is not running (process 1 is {host['init']}); {remedy}")
    if host["user_namespaces"] == 0 and "PrivateUsers" not in wanted["unit_settings"]:
        found.append(
            "user.max_user_namespaces is 0, so the unit's PrivateUsers=yes can't work; raise it by sysctl, or set "
            'kaspa_node_unit_settings: {PrivateUsers: "no"}'
        )
    if not host["root"]:
        found.append("the login user is not root; log in as root, or set ansible_become: true")
    if host["missing"] and not host["debian"]:
        found.append(f"{host['os']} has no apt to install {', '.join(host['missing'])} with; install these by hand")
    if not host["resolver"]:
        found.append(
            "/etc/resolv.conf names no server, and the node can't start so; write `nameserver 127.0.0.1` into it"
        )
    if host["venv"] == "not a link":
        found.append("/opt/kaspa-node is there and was not made by deploy; move it away")
    return found


def _moved(host: Facts, wanted: Facts) -> list[str]:
    """A host runs one node: the old one would hold the control socket and the key of the new one."""
    present = (host["recorded"].get("kaspa_node") or {}).get("service", wanted["service"])
    if present == wanted["service"]:
        return []
    remedy = "run playbooks/uninstall.yml for it first, with the inventory that it was deployed with"
    return [
        f"it runs {present}, and this inventory makes it a {wanted['role']}; {remedy} "
        "(-e kaspa_node_keep_identity=true keeps its key)"
    ]


def _space(host: Facts, wanted: Facts) -> list[str]:
    found = []
    if host["free"] < LEAST_DISK and wanted["manager"] == "systemd":
        found.append(f"{host['free']} MiB of disk are free below /opt, and {LEAST_DISK} are needed; make room")
    if host["login_free"] < LEAST_UPLOAD and wanted["manager"] == "systemd":
        where = f"{host['login_home']}, where Ansible puts files"
        found.append(f"{host['login_free']} MiB of disk are free at {where}, and {LEAST_UPLOAD} are needed; make room")
    if host["memory"] and host["memory"] < LEAST_MEMORY:
        found.append(f"{host['memory']} MiB of memory are available, and {LEAST_MEMORY} are needed; end other programs")
    if len(wanted["control"].encode()) > LONGEST_SOCKET_PATH:
        found.append(f"{wanted['control']} is too long for a socket's path; put the checkout into a shorter one")
    return found


def _port(host: Facts, wanted: Facts) -> list[str]:
    owner = host["listening"].get(str(wanted["port"]))
    if wanted["manager"] != "systemd" and host["recorded"].get("kaspa_node"):
        return []
    found = []
    if owner not in (None, f"{wanted['service']}.service"):
        remedy = f"set kaspa_{wanted['role']}_port to another"
        found.append(f"port {wanted['port']}/tcp is taken by {owner}; stop that, or {remedy}")
    for each in wanted["local_ports"]:
        owner = host["listening"].get(str(each["port"]))
        if owner not in (None, each["unit"]):
            found.append(f"port {each['port']}/tcp is taken by {owner}; stop that, or {each['remedy']}")
    return found


def _user(host: Facts, wanted: Facts) -> list[str]:
    """Deploy would take a person's user its shell, and uninstall would remove it."""
    if wanted["manager"] != "systemd" or host["user_home"] in ("", wanted["state_dir"]):
        return []
    remedy = "set kaspa_node_user to a name that is not in use"
    return [f"the user {wanted['user']} exists and was not made by deploy (its home is {host['user_home']}); {remedy}"]


def _group(host: Facts, wanted: Facts) -> list[str]:
    name = wanted["group"]
    if not name or name in host["groups"] or wanted["manager"] != "systemd":
        return []
    return [f"the group {name} does not exist; install the program first, or correct kaspa_peer_socket_group"]


def _clock(host: Facts, wanted: Facts) -> list[str]:
    # The host looked at its clock between these two looks at the controller's, however long that took.
    # Before ansible-core 2.19 the result of an expression is text.
    behind, ahead = host["asked"] - host["time"], host["time"] - float(wanted["now"])
    if max(behind, ahead) <= LARGEST_SKEW:
        return []
    direction = "ahead of" if ahead > behind else "behind"
    return [
        f"its clock is {max(behind, ahead):.0f} s {direction} the controller's; set it, by systemd-timesyncd for one"
    ]


def kaspa_module_problem(result: Facts) -> str:
    """Why Ansible could not run a module on a host: `problem; remedy`, from the module's result."""
    said = str(result.get("module_stderr") or "")
    # sudo's sentence is in the host's language; this word is in all of them.
    if "sudo" in said and "tty" in said.lower():
        return (
            "sudo runs nothing without a terminal there (requiretty in sudoers), and Ansible's pipelining has none; "
            "set ansible_pipelining: false for this host, or write Defaults:USER !requiretty into sudoers"
        )
    last = said.strip().splitlines()[-1:]
    return ": ".join([str(result.get("msg") or "Ansible can't run modules there"), *last])


def kaspa_inventory_problems(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[str]:
    """The problems of an inventory: `problem; remedy`."""
    relays, peers = list(groups.get("relays", [])), list(groups.get("peers", []))
    found = []
    if not relays:
        found.append("the group relays is empty; put the host with a public address into it")
    if not peers:
        found.append("the group peers is empty; put the hosts behind NATs into it")
    for name in sorted(set(relays) & set(peers)):
        found.append(f"{name} is in relays and in peers; one host runs one of the two")
    found += _one_machine_twice([*relays, *(name for name in peers if name not in relays)], hostvars)
    for name in peers:
        for other in hostvars[name].get("kaspa_peer_dials") or []:
            if other == name:
                found.append(f"{name} dials itself; remove it from its kaspa_peer_dials")
            elif other not in peers:
                found.append(
                    f"{name} dials {other}, which is not in the group peers; its kaspa_peer_dials names hosts of it"
                )
            else:
                found += _networks(name, other, hostvars)
        for other in hostvars[name].get("kaspa_peer_relays") or []:
            if other not in relays:
                found.append(f"{name} uses {other}, which is not in the group relays; correct its kaspa_peer_relays")
    return found


def _one_machine_twice(names: Sequence[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Two names of one machine, on which systemd runs one node; plain processes may be many on a machine."""
    named: dict[tuple[Any, ...], list[str]] = {}
    for name in names:
        host = hostvars[name]
        if host.get("kaspa_node_manager", "systemd") == "systemd":
            local = host.get("ansible_connection") == "local"
            place = (host.get("ansible_host") or name, str(host.get("ansible_port") or 22))
            # Behind one bastion or NAT an address can be another machine's for each of them.
            jump = str(host.get("ansible_ssh_common_args") or "")
            named.setdefault(("local",) if local else (*place, jump), []).append(name)
    return [
        f"{' and '.join(hosts)} are the same machine, "
        f"{'this one' if place == ('local',) else ':'.join(place[:2])}; a machine runs one node: leave one of them"
        for place, hosts in named.items()
        if len(hosts) > 1
    ]


def _networks(dialer: str, dialed: str, hostvars: Mapping[str, Any]) -> list[str]:
    """Embedded peers on different Kaspa networks reject each other; an external backend has a network of its own."""
    pair = [hostvars[dialer], hostvars[dialed]]
    if any(host.get("kaspa_peer_backend", "embedded") != "embedded" for host in pair):
        return []
    ours, theirs = (host.get("kaspa_peer_network", DEFAULT_NETWORK) for host in pair)
    if ours == theirs:
        return []
    return [f"{dialer} dials {dialed}, but their kaspa_peer_network is {ours} and {theirs}; set one value for both"]


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "kaspa_host_problems": kaspa_host_problems,
            "kaspa_inventory_problems": kaspa_inventory_problems,
            "kaspa_module_problem": kaspa_module_problem,
        }
