"""The part of `inventory_loader` that needs Ansible's library."""

from __future__ import annotations

import contextlib
import io
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.cli.adhoc import AdHocCLI
from ansible.errors import AnsibleError
from ansible.executor.task_executor import TaskExecutor
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecretsContext
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from operations.connection_settings import Become, ConnectionSettings
from operations.inventory import CHECKOUT, PEER, RELAY, Inventory, Node, Places
from operations.problems import UsageProblem

plugins.init_plugin_loader()

if not context.CLIARGS:
    # The defaults of Ansible's command line, which come from its configuration and environment.
    AdHocCLI(["ansible", "all"]).parse()

ROLES = CHECKOUT / "roles"
CONNECTIONS = {"local": "local", "ssh": "ssh", "smart": "ssh", "paramiko": "ssh", "paramiko_ssh": "ssh"}
"""Ansible's connections that tasks know, and those that they use in their place."""
LONGEST_REASON = 200
GROUPS = {"relays": RELAY, "peers": PEER}


def read(typed: Sequence[str]) -> Inventory:
    """See `inventory_loader.load`."""
    sources = list(typed or constants.DEFAULT_HOST_LIST)
    shown = ", ".join(_shown(each) for each in sources)
    for path in (part for each in sources for part in each.split(",") if "," not in each):
        if not Path(path).exists():
            raise UsageProblem(f"no inventory {_shown(path)}; name one with --inventory, as inventory/lab")
    loader = DataLoader()
    loader.set_basedir(os.getcwd())
    try:
        passwords = _passwords(loader)
    except AnsibleError as error:
        raise UsageProblem(f"a password of {shown} can't be read: {error}") from error
    # A file that can't be parsed is no error for Ansible: each of its plugins prints a warning of many lines.
    warnings = io.StringIO()
    try:
        with contextlib.redirect_stderr(warnings):
            manager = InventoryManager(loader=loader, sources=sources)
            reader = Reader(loader, manager, shown, passwords)
            nodes = {host.name: reader.node(host) for host in manager.get_hosts() if reader.role(host)}
    except AnsibleError as error:
        raise UsageProblem(f"the inventory {shown} can't be read: {error}") from error
    if not nodes and "Unable to parse" in warnings.getvalue():
        raise UsageProblem(f"the inventory {shown} can't be read: {_reason(warnings.getvalue())}")
    if not nodes:
        raise UsageProblem(f"the inventory {shown} has no hosts in its groups relays and peers")
    return Inventory(shown, nodes)


def _passwords(loader: DataLoader) -> dict[str, str | None]:
    """Ask for those that Ansible would ask for, or read them from where it would. Gives the loader those of vaults."""
    secrets = AdHocCLI.setup_vault_secrets(
        loader,
        vault_ids=list(constants.DEFAULT_VAULT_IDENTITY_LIST),
        ask_vault_pass=constants.DEFAULT_ASK_VAULT_PASS,
        auto_prompt=False,
        initialize_context=False,
    )
    loader.set_vault_secrets(secrets)
    if (current := VaultSecretsContext.current(optional=True)) is None:
        VaultSecretsContext.initialize(VaultSecretsContext(secrets))
    else:
        current.secrets = secrets
    login, become = AdHocCLI.ask_passwords()
    return {"conn_pass": login, "become_pass": become}


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

    def __init__(
        self, loader: DataLoader, manager: InventoryManager, shown: str, passwords: dict[str, str | None]
    ) -> None:
        self._loader = loader
        self._passwords = passwords
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

        connection = self._connection(host, values, templar)
        manager = str(variable("kaspa_node_manager"))
        return Node(
            name=host.name,
            role=str(variable("kaspa_node_role")),
            manager=manager,
            service=str(variable("_kaspa_node_service")),
            paths=_places(variable, manager),
            dials=tuple(variable("kaspa_peer_dials", [])),
            address=_address(connection) or str(variable("ansible_host", host.name)),
            settings=_settings_of(host.name, variable, connection),
            _variable=variable,
        )

    def _connection(self, host: Host, values: dict[str, Any], templar: Templar) -> Any:
        """Ansible's own connection to that host, with all options set as before a task."""
        task = Task()
        executor = TaskExecutor(
            host, task, values, PlayContext(passwords=self._passwords), self._loader, plugins, None, self._variables
        )
        play = executor._play_context.set_task_and_variable_override(task=task, variables=values, templar=templar)
        play.post_validate(templar=templar)
        play.remote_addr = play.remote_addr or host.address
        name = templar.template(values.get("ansible_connection")) or task.connection
        if (ours := CONNECTIONS.get(str(name).removeprefix("ansible.builtin."))) is None:
            raise UsageProblem(f"ansible_connection is {name}; tasks know ssh and local", host.name)
        executor._play_context = play
        executor._connection = executor._get_connection(values, templar, ours)
        executor._set_connection_options(values, templar)
        return executor._connection


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
        lock=str(variable("_kaspa_node_lock")),
        user=str(variable("kaspa_node_user")) if systemd else None,
    )


def _address(connection: Any) -> str | None:
    """The destination; None for this machine."""
    return None if connection.transport == "local" else str(connection.get_option("host"))


def _settings_of(name: str, variable: Any, connection: Any) -> ConnectionSettings:
    interpreter = str(variable("ansible_python_interpreter", "auto"))
    chosen = None if interpreter.startswith("auto") else interpreter
    address = _address(connection)
    if address is None:
        user = pwd.getpwuid(os.geteuid()).pw_name
        return ConnectionSettings(None, interpreter=chosen or sys.executable, become=_become(name, connection, user))
    password = connection.get_option("password")
    # The program that answers ssh's question is ours.
    connection.set_option("password_mechanism", "disable")
    try:
        words = connection._build_command(connection.get_option("ssh_executable"), "ssh")
    except ValueError as error:
        raise UsageProblem(f"the inventory's ssh arguments can't be read: {error}", name) from None
    executable, *arguments = (word.decode() for word in words)
    proxy = variable("kaspa_operations_proxy")
    return ConnectionSettings(
        address=address,
        ssh=(executable, *([] if proxy is None else ["-o", f"ProxyCommand={proxy}"]), *arguments),
        password=None if password is None else str(password),
        interpreter=chosen or "python3",
        become=_become(name, connection, connection.get_option("remote_user")),
    )


def _become(name: str, connection: Any, user: str | None) -> Become | None:
    plugin = connection.become
    if plugin is None:
        return None
    if plugin.name != "sudo":
        raise UsageProblem(f"ansible_become_method is {plugin.name}; tasks know sudo", name)
    if plugin.get_option("become_user") == user and not constants.BECOME_ALLOW_SAME_USER:
        return None
    password = plugin.get_option("become_pass")
    return Become(
        lambda line: (plugin.build_become_command(line, connection._shell), plugin.prompt),
        None if password is None else str(password),
    )
