"""Follows configurations of ssh with Ansible and with the operations' links, in namespaces of its own.

`python -m tests.ssh.scene BASE RESULTS ROW…`, started by `run`. Ansible does all rows in one process; each row of the
operations is a fork of this one. Each ssh that Ansible starts, and each fork, sees its row's ~/.ssh and /etc/ssh.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.playbooks import ROOT as CHECKOUT
from tests.ssh import keys, servers
from tests.ssh.row import REFUSED, Row
from tests.ssh.table import ROWS

HOME = keys.HOME
PLACES = Path("/mnt/rows")
INVENTORY = Path("/mnt/inventory")
SHOW = 'echo "ENDED $(uname -n) ${SUDO_USER:-$(id -un)} $(id -un)"'
ENVIRONMENT = {
    "HOME": str(HOME),
    "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": str(CHECKOUT),
    "LC_ALL": "C.UTF-8",
    "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
    # One connection for each row: a shared one would hide what another row asks for.
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ConnectTimeout=10",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/mnt/vault",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORKS": "10",
}
TIMEOUT = 60.0
AT_ONCE = 4


def run(base: Path, results: Path, names: list[str]) -> dict[str, dict[str, str]]:
    """Follow these rows; returns where each program ended, and its output: ansible, ansible_said, fab, fab_said."""
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    argv = ["unshare", *namespaces, sys.executable, "-m", "tests.ssh.scene", base, results, *names]
    done = subprocess.run(
        argv, cwd=CHECKOUT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the scene failed: {done.stdout}{done.stderr}")
    found: dict[str, dict[str, str]] = json.loads(results.read_text())
    return found


def main() -> None:
    base, results = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [row for row in ROWS if row.name in sys.argv[3:]]
    output = results.open("w")
    servers.run("mount", "-t", "tmpfs", "-o", "mode=755", "comparison", "/mnt")
    public = keys.make_all()
    servers.prepare(base)
    servers.start()
    keys.start_agents()
    _bind_common()
    _start_master()
    write_rows(rows, public)
    found: dict[str, dict[str, str]] = {row.name: {} for row in rows}
    for name, (ends, said) in by_ansible(rows).items():
        found[name] |= {"ansible": ends, "ansible_said": said}
    _import_operations()
    with multiprocessing.get_context("fork").Pool(AT_ONCE, maxtasksperchild=1) as pool:
        for row in rows:
            pool.apply_async(
                by_fab, (row,), callback=found[row.name].update, error_callback=partial(_defect, row, found)
            )
        pool.close()
        pool.join()
    with output:
        json.dump(found, output)


def _defect(row: Row, found: dict[str, dict[str, str]], error: BaseException) -> None:
    found[row.name] |= {"fab": "a traceback", "fab_said": repr(error)}


def _bind_common() -> None:
    """The home directory of this user, as ssh finds it, and names for addresses."""
    users = Path("/etc/passwd").read_text()
    Path("/mnt/passwd").write_text(re.sub(r"(?m)^(root:.*:)[^:]*(:[^:]*)$", rf"\g<1>{HOME}\2", users))
    Path("/mnt/hosts").write_text(
        "127.0.0.1 localhost\n127.0.1.1 alpha.lab alpha alpha.lab.\n127.0.1.2 beta.lab\n10.9.0.2 jump.lab\n"
    )
    for name in ("passwd", "hosts"):
        servers.run("mount", "--bind", f"/mnt/{name}", f"/etc/{name}")
    (HOME / ".ssh").mkdir(mode=0o700)
    Path("/mnt/vault").write_text("vault's password\n")


def _start_master() -> None:
    """A shared connection to alpha, as of a user who has typed a password."""
    unchecked = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    servers.run("ssh", "-F", "none", *unchecked, "-i", keys.KEYS / "main", "-MNf", "-S", "/mnt/master", "127.0.1.1")


def write_rows(rows: list[Row], public: dict[str, str]) -> None:
    """Each row's files: PLACES/NAME/ssh, ssh-of-fab, etc, enter, and its part of the inventory."""
    names = public | {server.name: keys.public(server.key(server.kinds[0])) for server in servers.SERVERS}
    many = next(server for server in servers.SERVERS if server.name == "many")
    names |= {f"many.{kind}": keys.public(many.key(kind)) for kind in many.kinds}
    names |= {f"private.{name}": (keys.KEYS / name).read_text() for name in ("main", "annas")}
    names["known"] = "".join(server.known for server in servers.SERVERS if server.name != "certified").strip()

    def filled(text: str) -> str:
        text = re.sub(r"<vaulted (.*)>", lambda match: _vaulted(match[1]), text)
        return re.sub(r"<([\w.]+)>", lambda match: names[match[1]], text)

    (INVENTORY / "host_vars").mkdir(parents=True)
    for row in rows:
        place = PLACES / row.name
        ssh = place / "ssh"
        ssh.mkdir(parents=True, mode=0o700)
        for name, key in (pair.split("=") for pair in row.keys.split()):
            (ssh / name).write_bytes((keys.KEYS / key).read_bytes())
            (ssh / name).chmod(row.mode)
            (ssh / f"{name}.pub").write_text(f"{public.get(key, public['main'])}\n")
        for name, text in {"known_hosts": row.known, "config": row.config, **row.files}.items():
            if text:
                (ssh / name).write_text(filled(text))
                (ssh / name).chmod(0o600)
        if "alpha.krl" in row.files:
            keys.keygen("-k", "-f", ssh / "alpha.krl", servers.ETC / "alpha.ed25519.pub")
        if row.hashed:
            keys.keygen("-H", "-f", ssh / "known_hosts")
        # ssh may write into known_hosts; what one program has learned is no help for the other.
        shutil.copytree(ssh, place / "ssh-of-fab")
        (place / "etc").mkdir()
        (place / "etc/ssh_config").write_text(row.system)
        agent = f"SSH_AUTH_SOCK={keys.AGENTS / row.agent}" if row.agent else ""
        environ = [*([agent] if agent else []), *(f"{name}={value}" for name, value in row.environ.items())]
        inside = f"mount --bind {ssh} {HOME}/.ssh && mount --bind {place}/etc /etc/ssh"
        program = f'{inside} && exec env {shlex.join(environ)} ssh "$@"'
        enter = place / "enter"
        enter.write_text(f'#!/bin/sh\nexec unshare --mount sh -c {shlex.quote(program)} ssh "$@"\n')
        enter.chmod(0o755)
        line = f"{row.name}{row.port} {row.vars}"
        (INVENTORY / row.name).write_text(f"[relays]\n{line}\n{row.sections}")
        if row.yaml:
            (INVENTORY / "host_vars" / f"{row.name}.yml").write_text(filled(row.yaml))


def _vaulted(text: str) -> str:
    from ansible.constants import DEFAULT_VAULT_ID_MATCH
    from ansible.parsing.vault import VaultLib, VaultSecret

    secret = VaultSecret(b"vault's password")
    encrypted = VaultLib([(DEFAULT_VAULT_ID_MATCH, secret)]).encrypt(text, secret).decode()
    return "!vault |\n" + "".join(f"  {line}\n" for line in encrypted.splitlines())


def ends_at(output: str) -> str:
    """Where a command was, by what SHOW printed."""
    match = re.search(r"^ENDED (\S+) (\S+) (\S+)", output, re.MULTILINE)
    if match is None:
        return REFUSED
    server, login, user = match.groups()
    return f"{server} {login}" if login == user else f"{server} {login} {user}"


def by_ansible(rows: list[Row]) -> dict[str, tuple[str, str]]:
    """Where Ansible ends, and its output, for each row."""
    executable = "ansible_ssh_executable=/mnt/rows/{{ inventory_hostname }}/enter"
    done = subprocess.run(
        ["ansible", "all", "-i", INVENTORY, "-m", "raw", "-a", shlex.join(["sh", "-c", SHOW]), "-e", executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = {row.name: done.stdout + done.stderr for row in rows}
    for part in re.split(r"(?m)^(?=[\w-]+ \| )", done.stdout):
        name, _, text = part.partition(" | ")
        if name in said:
            said[name] = text
    return {name: (ends_at(text), text) for name, text in said.items()}


def _import_operations() -> None:
    """Once here, not in each fork."""
    import operations.ssh_link  # noqa: F401
    from operations import inventory_loader

    empty = Path("/mnt/empty")
    empty.write_text("[relays]\nnobody\n")
    inventory_loader.load(str(empty))


def by_fab(row: Row) -> dict[str, str]:
    """Where the operations' link ends, and its output."""
    from operations import fleet, inventory_loader
    from operations.problems import OperationProblem

    _bind(PLACES / row.name)
    os.environ.update(row.environ)
    if row.agent:
        os.environ["SSH_AUTH_SOCK"] = str(keys.AGENTS / row.agent)

    def show(node: Any, link: Any) -> str:
        ran = link.run(["sh", "-c", SHOW])
        return str(ran.text) if ran.ok else str(ran.complaint)

    try:
        node = inventory_loader.load(str(INVENTORY / row.name)).node(row.name)
        said = str(fleet.on_all([node], show, timeout=TIMEOUT)[row.name])
    except OperationProblem as problem:
        said = str(problem)
    return {"fab": ends_at(said), "fab_said": said}


def _bind(place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    new_mounts, bind = 0x20000, 0x1000
    if libc.unshare(new_mounts) != 0:
        raise OSError(ctypes.get_errno(), "a new mount namespace")
    for source, target in ((place / "ssh-of-fab", HOME / ".ssh"), (place / "etc", Path("/etc/ssh"))):
        if libc.mount(str(source).encode(), str(target).encode(), None, bind, None) != 0:
            raise OSError(ctypes.get_errno(), f"mount on {target}")


if __name__ == "__main__":
    main()
