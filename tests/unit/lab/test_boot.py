"""The command line that boots a host, and SSH's."""

from __future__ import annotations

from pathlib import Path

from lab import boot, ssh
from lab.paths import Paths
from lab.topology import host


def test_a_host_boots_in_its_namespace_under_the_labs_name() -> None:
    argv = boot.nspawn("client", Path("/x/root"), "/run/netns/kl-client")
    assert "--machine=kl-client" in argv
    assert "--hostname=client" in argv
    assert "--network-namespace-path=/run/netns/kl-client" in argv
    assert {"--boot", "--register=no", "--keep-unit"} < set(argv)


def test_ssh_trusts_the_labs_hosts_and_nothing_else(tmp_path: Path) -> None:
    argv = ssh.command(Paths(tmp_path), host("client"), ["uptime"])
    assert argv[:2] == ["nsenter", "--net=/run/netns/kl-nat-client"]
    assert "-oStrictHostKeyChecking=yes" in argv
    assert f"-oUserKnownHostsFile={tmp_path}/.lab/ssh/known_hosts" in argv
    assert argv[-2:] == ["root@10.1.0.2", "uptime"]
