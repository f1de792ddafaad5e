"""The keys of the comparison: users' keys, a certificate authority, agents, revoked keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

HOME = Path("/mnt/home")
KEYS = HOME / "keys"
AGENTS = Path("/mnt/agents")

EVERYBODY = ("main", "rsa", "ecdsa", "pkcs8", "pem")
"""Keys that every user accepts. Only anna accepts `annas`, and nobody the others; `certified` has a certificate."""

AGENTS_KEYS = {
    "main": ("main",),
    "many": ("stranger1", "stranger2", "stranger3", "stranger4", "main"),
    "stranger": ("stranger1",),
    "locked": ("main",),
}


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def make(path: Path, kind: str = "ed25519", *words: str, passphrase: str = "") -> str:
    """A new key pair; returns the public key without its comment."""
    bits = ("-b", "2048") if kind == "rsa" else ()
    keygen("-t", kind, *bits, "-N", passphrase, "-C", path.name, "-f", path, *words)
    return public(path)


def public(path: Path) -> str:
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


def make_all() -> dict[str, str]:
    """Make all keys of users; returns their public keys by name."""
    KEYS.mkdir(parents=True)
    made = {name: make(KEYS / name) for name in ("main", "annas", "ca", "certified", "expired")}
    made |= {name: make(KEYS / name) for name in AGENTS_KEYS["many"] if name.startswith("stranger")}
    made |= {"rsa": make(KEYS / "rsa", "rsa"), "ecdsa": make(KEYS / "ecdsa", "ecdsa")}
    made |= {"pkcs8": make(KEYS / "pkcs8", "ecdsa", "-m", "PKCS8"), "pem": make(KEYS / "pem", "rsa", "-m", "PEM")}
    locked = KEYS / "locked"
    locked.write_bytes((KEYS / "main").read_bytes())
    locked.chmod(0o600)
    locked.with_name("locked.pub").write_text(f"{made['main']}\n")
    keygen("-p", "-P", "", "-N", "secret", "-f", locked)
    for name, dates in (("certified", "always:forever"), ("expired", "20200101:20200102")):
        keygen("-s", KEYS / "ca", "-I", name, "-n", "anna", "-V", dates, KEYS / f"{name}.pub")
    return made


def start_agents() -> None:
    """One agent for each entry of AGENTS_KEYS, at AGENTS/NAME."""
    AGENTS.mkdir()
    for name, keys in AGENTS_KEYS.items():
        subprocess.run(["ssh-agent", "-a", AGENTS / name], check=True, stdout=subprocess.DEVNULL)
        for key in keys:
            environ = {"SSH_AUTH_SOCK": str(AGENTS / name), "PATH": "/usr/bin:/bin"}
            subprocess.run(["ssh-add", "-q", KEYS / key], check=True, env=environ)
