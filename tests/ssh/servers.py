"""Real OpenSSH servers on addresses of a network namespace, in a copy of the lab's base with users of their own.

Each server runs under a host name of its own, which shows a command where it is.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.waiting import until
from tests.ssh import keys

ROOT = Path("/mnt/root")
ETC = ROOT / "etc/ssh"
BEHIND = "/mnt/behind"
"""A network namespace that only `jump` and `hop` connect with."""
START_SECONDS = 60.0

USERS = {
    "anna": ("/bin/sh", "NOPASSWD: ALL"),
    "ben": ("/bin/sh", "ALL"),
    "carl": ("/bin/sh", ""),
    "dora": ("/bin/words", "NOPASSWD: ALL"),
}
"""Users: shell, and what sudo lets them do. Everybody's password is `secret`."""

WORDS = """#!/usr/bin/python3
import os, shlex, sys
line = sys.argv[2]
if chr(10) in line:
    sys.exit("Unmatched quote.")
words = shlex.split(line)
os.execvp(words[0], words)
"""
"""A shell without operators, variables and quoted line ends, as csh is about line ends."""


@dataclass(frozen=True)
class Server:
    """name: also its host name. options: further lines of its configuration. kinds: of its host keys."""

    name: str
    address: str
    port: int = 22
    options: str = ""
    kinds: tuple[str, ...] = ("ed25519",)
    behind: bool = False

    def key(self, kind: str) -> Path:
        return ETC / f"{self.name}.{kind}"

    @property
    def known(self) -> str:
        """Its lines of known_hosts."""
        where = self.address if self.port == 22 else f"[{self.address}]:{self.port}"
        return "".join(f"{where} {keys.public(self.key(kind))}\n" for kind in self.kinds)


SERVERS = (
    Server("alpha", "127.0.1.1"),
    Server("gamma", "127.0.1.1", 2222),
    Server("beta", "127.0.1.2"),
    Server("six", "::1"),
    Server("tries", "127.0.1.5", options="MaxAuthTries 2"),
    Server("many", "127.0.1.6", kinds=("ed25519", "ecdsa", "rsa")),
    Server("certified", "127.0.1.7", options="HostCertificate /etc/ssh/certified.ed25519-cert.pub"),
    Server("sntrup", "127.0.1.8", options="KexAlgorithms sntrup761x25519-sha512@openssh.com"),
    Server("password", "127.0.1.9", options="PubkeyAuthentication no\nPasswordAuthentication yes"),
    Server("jump", "10.9.0.2", behind=True),
    Server("hop", "10.9.0.2", 2222, behind=True),
    Server("inner", "127.0.2.1", behind=True),
    Server("deep", "127.0.2.1", 2222, behind=True),
)


def prepare(base: Path) -> None:
    """Mount a copy of the base at ROOT, and make users and host keys in it."""
    layers = Path("/mnt/layers")
    for name in ("upper", "work"):
        (layers / name).mkdir(parents=True)
    ROOT.mkdir()
    options = f"lowerdir={base},upperdir={layers}/upper,workdir={layers}/work"
    run("mount", "-t", "overlay", "overlay", "-o", options, ROOT)
    run("mount", "-t", "proc", "proc", ROOT / "proc")
    run("mount", "--rbind", "/dev", ROOT / "dev")
    (ROOT / "run/sshd").mkdir(parents=True)
    (ROOT / "bin/words").write_text(WORDS)
    (ROOT / "bin/words").chmod(0o755)
    names = " ".join(server.name for server in SERVERS)
    (ROOT / "etc/hosts").write_text(f"127.0.0.1 localhost {names}\n::1 localhost\n")
    for user, (shell, _) in USERS.items():
        run("chroot", ROOT, "useradd", "--create-home", "--shell", shell, user)
    passwords = "".join(f"{user}:secret\n" for user in ("root", *USERS))
    subprocess.run(["chroot", ROOT, "chpasswd", "--crypt-method", "SHA256"], input=passwords, text=True, check=True)
    rules = "".join(f"{user} ALL=(ALL) {allowed}\n" for user, (_, allowed) in USERS.items() if allowed)
    (ROOT / "etc/sudoers.d/comparison").write_text(rules)
    everybody = "".join(f"{keys.public(keys.KEYS / name)}\n" for name in keys.EVERYBODY)
    (ETC / "keys").mkdir(exist_ok=True)
    for user in ("root", *USERS):
        extra = f"{keys.public(keys.KEYS / 'annas')}\n" if user == "anna" else ""
        (ETC / "keys" / user).write_text(everybody + extra)
    shutil.copy(keys.KEYS / "ca.pub", ETC / "ca.pub")
    for server in SERVERS:
        for kind in server.kinds:
            keys.make(server.key(kind), kind)
    certified = ETC / "certified.ed25519.pub"
    keys.keygen("-s", keys.KEYS / "ca", "-h", "-I", "certified", "-n", "127.0.1.7", certified)


def start() -> None:
    """Start all servers, and wait until each listens."""
    Path(BEHIND).touch()
    run("ip", "link", "set", "lo", "up")
    run("unshare", f"--net={BEHIND}", "ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "front", "type", "veth", "peer", "name", "back", "netns", BEHIND)
    run("ip", "address", "add", "10.9.0.1/24", "dev", "front")
    run("ip", "link", "set", "front", "up")
    for words in (("address", "add", "10.9.0.2/24", "dev", "back"), ("link", "set", "back", "up")):
        run("nsenter", f"--net={BEHIND}", "ip", *words)
    logs = {server.name: _start(server) for server in SERVERS}

    def silent() -> list[str]:
        return [name for name, log in logs.items() if "Server listening" not in log.read_text()]

    if not until(lambda: not silent(), timeout=START_SECONDS):
        name = silent()[0]
        raise RuntimeError(f"sshd of {name} does not listen: {logs[name].read_text()}")


def _start(server: Server) -> Path:
    host_keys = "".join(f"HostKey /etc/ssh/{server.name}.{kind}\n" for kind in server.kinds)
    (ETC / f"{server.name}.conf").write_text(
        f"ListenAddress {server.address}\nPort {server.port}\n{host_keys}{server.options}\nUsePAM no\nStrictModes no\n"
        "PermitRootLogin yes\nAuthorizedKeysFile /etc/ssh/keys/%u\nTrustedUserCAKeys /etc/ssh/ca.pub\n"
        "PasswordAuthentication no\nMaxStartups 1000\nPidFile none\n"
    )
    log = Path(f"/mnt/{server.name}.log")
    program = f"hostname {server.name} && exec chroot {ROOT} /usr/sbin/sshd -D -e -f /etc/ssh/{server.name}.conf"
    argv = ["unshare", "--uts", "sh", "-c", program]
    if server.behind:
        argv = ["nsenter", f"--net={BEHIND}", *argv]
    with log.open("w") as stream:
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
    return log


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
