"""The part of `inventory_loader` that needs Ansible's library."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import connection_loader, init_plugin_loader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from operations.connection_settings import DEFAULT_KNOWN_HOSTS, ConnectionSettings, ssh_arguments
from operations.inventory import CHECKOUT, PEER, RELAY, Inventory, Node, Places
from operations.problems import UsageProblem

init_plugin_loader()
connection_loader.get("ssh", class_only=True)  # makes the connection's options known to the configuration

ROLES = CHECKOUT / "roles"
CONNECTIONS = ("ssh", "local", "paramiko", "paramiko_ssh", "smart")
LONGEST_REASON = 200
GROUPS = {"relays": RELAY, "peers": PEER}


def read(source: str | None) -> Inventory:
    """See `inventory_loader.load`."""
    sources = [source] if source else list(constants.DEFAULT_HOST_LIST)
    shown = ", ".join(_shown(each) for each in sources)
    for path in (part for each in sources for part in each.split(",") if "," not in each):
        if not Path(path).exists():
            raise UsageProblem(f"no inventory {_shown(path)}; name one with --inventory, as inventory/lab")
    loader = DataLoader()
    loader.set_basedir(os.getcwd())
    # A file that can't be parsed is no error for Ansible: each of its plugins prints a warning of many lines.
    warnings = io.StringIO()
    try:
        with contextlib.redirect_stderr(warnings):
            manager = InventoryManager(loader=loader, sources=sources)
            reader = Reader(loader, manager, shown)
            nodes = {host.name: reader.node(host) for host in manager.get_hosts() if reader.role(host)}
    except AnsibleError as error:
        raise UsageProblem(f"the inventory {shown} can't be read: {error}") from error
    if not nodes and "Unable to parse" in warnings.getvalue():
        raise UsageProblem(f"the inventory {shown} can't be read: {_reason(warnings.getvalue())}")
    if not nodes:
        raise UsageProblem(f"the inventory {shown} has no hosts in its groups relays and peers")
    return Inventory(shown, nodes)


def _reason(warnings: str) -> str:
    """The message of the YAML parser, because most inventories are YAML; otherwise that of the last plugin."""
    told = [line.partition("plugin: ")[2] for line in warnings.splitlines() if " plugin: " in line]
    yaml = [text.removeprefix("YAML parsing failed: ") for text in told if text.startswith("YAML")]
    reason = [*yaml, *reversed(told), "no plugin of Ansible's knows such a file"][0]
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"


def _shown(path: str) -> str:
    """A path as the user would write it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


class Reader:
    """Makes nodes of Ansible's hosts."""

    def __init__(self, loader: DataLoader, manager: InventoryManager, shown: str) -> None:
        self._loader = loader
        self._shown = shown
        self._variables = VariableManager(loader=loader, inventory=manager)
        # Registers itself with the variable manager: templates may look at other hosts.
        HostVars(inventory=manager, variable_manager=self._variables, loader=loader)
        self._defaults: dict[str, Any] = {}
        self._constants = self._role("kaspa_node", "vars")
        for role in sorted(path.parent.parent for path in ROLES.glob("*/defaults/main.yml")):
            self._defaults |= self._role(role.name, "defaults")
        for name in ("kaspa_peer", "kaspa_relay"):
            self._constants |= self._role(name, "vars")

    def _role(self, role: str, part: str) -> dict[str, Any]:
        file = ROLES / role / part / "main.yml"
        return self._loader.load_from_file(str(file), trusted_as_template=True) or {} if file.exists() else {}

    @staticmethod
    def role(host: Host) -> str | None:
        """`relay` or `peer` by the host's groups, None for others."""
        groups = {group.name for group in host.get_groups()}
        return next((role for group, role in GROUPS.items() if group in groups), None)

    def node(self, host: Host) -> Node:
        """The node on that host."""
        values = {
            **self._defaults,
            **self._variables.get_vars(host=host),
            **self._constants,
            "ansible_playbook_python": sys.executable,
            "role_path": str(ROLES / "kaspa_node"),
        }
        templar = Templar(loader=self._loader, variables=values)

        def variable(name: str, default: Any = None) -> Any:
            if name not in values:
                return default
            try:
                return _plain(templar.template(values[name]))
            except AnsibleError as error:
                raise UsageProblem(f"{name} can't be read from {self._shown}: {error}", host.name) from error

        def option(name: str) -> Any:
            raw = constants.config.get_config_value(name, plugin_type="connection", plugin_name="ssh", variables=values)
            return raw if raw is None else _plain(templar.template(raw))

        manager = str(variable("kaspa_node_manager"))
        return Node(
            name=host.name,
            role=str(variable("kaspa_node_role")),
            manager=manager,
            service=str(variable("_kaspa_node_service")),
            paths=_places(variable, manager),
            dials=tuple(variable("kaspa_peer_dials", [])),
            address=str(option("host") or host.name),
            settings=_settings_of(host.name, variable, option),
            _variable=variable,
        )


def _plain(value: Any) -> Any:
    """The value without Ansible's tags, which other libraries can't handle."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _places(variable: Any, manager: str) -> Places:
    systemd = manager == "systemd"
    directory = None if systemd else str(variable("kaspa_node_root"))
    return Places(
        state_dir=variable("_kaspa_node_state_dir"),
        key=variable("_kaspa_node_key"),
        config=variable("_kaspa_node_config"),
        control=variable("_kaspa_node_control"),
        facts_dir=variable("_kaspa_node_facts_dir"),
        command=tuple(variable("_kaspa_node_command")),
        environment={name: str(value) for name, value in variable("_kaspa_node_environment").items()},
        directory=directory,
        log=None if directory is None else f"{directory}/{variable('_kaspa_node_service')}.log",
        user=str(variable("kaspa_node_user")) if systemd else None,
    )


def _settings_of(name: str, variable: Any, option: Any) -> ConnectionSettings:
    connection = str(variable("ansible_connection", "ssh"))
    if connection.removeprefix("ansible.builtin.") not in CONNECTIONS:
        raise UsageProblem(f"ansible_connection is {connection}; tasks know ssh and local", name)
    interpreter = str(variable("ansible_python_interpreter", "auto"))
    become = bool(variable("ansible_become", False))
    if become and (method := str(variable("ansible_become_method", "sudo"))).rpartition(".")[2] != "sudo":
        raise UsageProblem(f"ansible_become_method is {method}; tasks know sudo", name)
    if connection.rpartition(".")[2] == "local":
        own = interpreter if not interpreter.startswith("auto") else sys.executable
        return ConnectionSettings(address=None, interpreter=own, sudo=become and os.geteuid() != 0)
    arguments = ssh_arguments(*(option(each) or "" for each in ("ssh_args", "ssh_common_args", "ssh_extra_args")))
    user = option("remote_user") or arguments.get("user")
    keys = [option("private_key_file"), *arguments.files("IdentityFile", ())]
    files = [*arguments.files("UserKnownHostsFile", DEFAULT_KNOWN_HOSTS[:1])]
    files += arguments.files("GlobalKnownHostsFile", DEFAULT_KNOWN_HOSTS[1:])
    port = option("port") or arguments.get("Port")
    config = arguments.config or "~/.ssh/config"
    return ConnectionSettings(
        address=str(option("host") or name),
        port=int(port) if port else None,
        user=user,
        password=option("password"),
        keys=tuple(key for key in keys if key),
        only_keys=(arguments.get("IdentitiesOnly") or "").lower() == "yes",
        known_hosts=tuple(files),
        config=None if config in ("/dev/null", "none") else config,
        proxy=variable("kaspa_operations_proxy") or arguments.get("ProxyCommand"),
        jumps=tuple(hop for hop in (arguments.get("ProxyJump") or "").split(",") if hop),
        interpreter="python3" if interpreter.startswith("auto") else interpreter,
        sudo=become and user != "root",
    )
