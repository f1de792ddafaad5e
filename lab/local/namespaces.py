"""Network namespaces that a process keeps: entered through its PID, from inside the user namespace or from outside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeptNamespaces:
    """`pids` names each namespace's keeper. `inside` is for callers already in the keepers' user namespace."""

    pids: dict[str, int]
    inside: bool = False

    def path(self, name: str) -> str:
        return f"/proc/{self.pids[name]}/ns/net"

    def enter(self, name: str) -> list[str]:
        if self.inside:
            return ["nsenter", f"--net={self.path(name)}", "--"]
        return ["nsenter", f"--target={self.pids[name]}", "--user", "--preserve-credentials", "--net", "--"]
