"""The firewall of a host that belongs to somebody: nobody is locked out, and nothing of the owner's is changed.

The lab's spare host has a user with sudo, and its SSH server listens on 2222 only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import booted, hosts, public
from lab.lock import exclusive
from lab.namespaces import NamedNamespaces
from lab.paths import Paths
from lab.ssh import options
from lab.topology import SPARE
from lab.waiting import until
from tests.playbooks import ROOT, Played, play, well

PATHS = Paths()
PORT = 2222
PLAY = "tests/lab/plays/firewall.yml"
RECORD = "/etc/ansible/facts.d/kaspa_firewall.fact"
UNDO = "/var/lib/kaspa-firewall-undo"
PATIENCE = 120.0
PREPARE = f"""
useradd -m -s /bin/bash ops && install -d -m 700 -o ops -g ops /home/ops/.ssh
install -m 600 -o ops -g ops /root/.ssh/authorized_keys /home/ops/.ssh/authorized_keys
echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
echo 'Port {PORT}' >> /etc/ssh/sshd_config && systemctl restart ssh
"""


def login(script: str, *, seconds: int = 10) -> subprocess.CompletedProcess[str]:
    """Run a script as root over a new SSH connection, as the user with sudo."""
    enter = NamedNamespaces().enter(SPARE.vantage)
    where = ["-p", str(PORT), f"-oHostKeyAlias={SPARE.address}", "-oControlPath=none", f"ops@{SPARE.address}"]
    argv = [*enter, "ssh", f"-oConnectTimeout={seconds}", *options(PATHS), *where, "sudo", "sh", "-e"]
    return subprocess.run(argv, input=script, capture_output=True, text=True, timeout=PATIENCE, check=False)


def on(script: str) -> str:
    done = login(script)
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


def added() -> list[str]:
    """The rules of the host as `ufw show added` prints them."""
    return [line for line in on("ufw show added").splitlines() if line.startswith("ufw ")]


def eventually(script: str, words: str) -> None:
    """Wait until a script prints these words over a new connection."""
    assert until(lambda: words in login(script, seconds=2).stdout, timeout=PATIENCE, pause=0.5), login(script)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The spare host, reached as its owner reaches it."""
    with exclusive():
        booted.up(PATHS)
        public.remove_spare(PATHS)
        public.add_spare(PATHS)
    prepared = hosts.answer(PATHS, SPARE, PREPARE)
    assert on("id -u").strip() == "0", prepared
    variables = {
        "ansible_host": SPARE.address,
        "ansible_port": PORT,
        "ansible_user": "ops",
        "ansible_become": True,
        "ansible_ssh_extra_args": f"-o HostKeyAlias={SPARE.address}",
        "_lab_checkout": str(ROOT),
    }
    file = tmp_path_factory.mktemp("inventory") / "hosts.json"
    file.write_text(json.dumps({"relays": {"hosts": {SPARE.name: variables}}}))
    yield file
    with exclusive():
        public.remove_spare(PATHS)


@pytest.fixture(autouse=True)
def owners(inventory: Path) -> None:
    """ufw off and without rules, and no record."""
    on(f"ufw --force reset >/dev/null; rm -rf {RECORD} /etc/ufw/*.rules.2*; test ! -e {UNDO}")


def firewall(inventory: Path, *words: str, **variables: object) -> Played:
    """Run the role on the spare host."""
    given = json.dumps({"kaspa_firewall_keep": [], "kaspa_firewall_cut": True, **variables})
    shown = {"ANSIBLE_DISPLAY_OK_HOSTS": "yes"}
    return play(PLAY, "lab", "-i", str(inventory), "--limit", SPARE.name, "-e", given, *words, environ=shown)


def uninstall(inventory: Path) -> Played:
    return firewall(inventory, firewall_tasks="uninstall")


def test_ssh_on_another_port_by_sudo_is_let_in_and_a_changed_port_is_shut_again(inventory: Path) -> None:
    checked = well(firewall(inventory, "--check", "--diff"))
    assert checked.changed == {SPARE.name: 1}
    assert "+ufw is on, incoming: deny" in checked.output
    assert (added(), "inactive" in on("ufw status")) == ([], True)

    well(firewall(inventory))
    assert added() == [f"ufw allow {port}/tcp comment 'kaspa-node'" for port in (PORT, 4011)]
    assert "Status: active" in on("ufw status")
    on(f"test ! -e {UNDO} && ! systemctl cat kaspa-firewall-undo.timer 2>/dev/null")
    assert well(firewall(inventory)).changed == {SPARE.name: 0}

    on("ufw allow 443/tcp; ufw deny 4012/tcp; ufw insert 1 deny from 198.51.100.7")
    well(firewall(inventory, kaspa_firewall_ports=[5011]))
    others = ["ufw deny from 198.51.100.7", "ufw allow 443/tcp", "ufw deny 4012/tcp"]
    assert set(added()) == {*others, *(f"ufw allow {port}/tcp comment 'kaspa-node'" for port in (PORT, 5011))}

    assert "rules of others stay" in well(uninstall(inventory)).output
    assert (added(), "inactive" in on("ufw status")) == (others, True)
    assert well(uninstall(inventory)).changed == {SPARE.name: 0}


def test_a_filter_that_is_on_keeps_its_rules_for_ssh_and_every_rule_of_the_owner(inventory: Path) -> None:
    on(f"ufw allow from 203.0.113.0/24 to any port {PORT} proto tcp; ufw reject 4000:4100/tcp; ufw --force enable")
    before = added()
    well(firewall(inventory))
    ours = "ufw allow 4011/tcp comment 'kaspa-node'"
    assert added() == [before[0], ours, before[1]]
    assert on("ufw status numbered").count("4011/tcp") == 2
    well(uninstall(inventory))
    assert (added(), "Status: active" in on("ufw status")) == (before, True)


def test_an_owners_deny_of_the_nodes_port_is_named_and_kept(inventory: Path) -> None:
    on("ufw deny 4011/tcp comment mine")
    named = "the rule `ufw deny 4011/tcp` of this host shuts it; remove that rule"
    assert [named in problem for problem in problems(inventory)] == [True]
    played = firewall(inventory)
    assert (played.exit_code != 0, named in played.output) == (True, True)
    assert (added(), "inactive" in on("ufw status")) == (["ufw deny 4011/tcp comment 'mine'"], True)


def test_rules_that_shut_ssh_are_taken_back_by_the_host_itself(inventory: Path) -> None:
    rule = f"-A ufw-before-input -p tcp --dport {PORT} -m conntrack --ctstate NEW -j DROP"
    on(f"cp -p /etc/ufw/before.rules /tmp/; sed -i '0,/^# allow all on loopback/s//{rule}\\n&/' /etc/ufw/before.rules")
    played = firewall(inventory, kaspa_firewall_undo_after=30)
    assert played.exit_code != 0
    assert "a new SSH connection to this host fails" in played.output
    assert "old rules come back there within 30 s" in played.output
    old = f"ufw status; test -e {UNDO} || echo gone"
    eventually(old, "gone")
    assert (added(), "inactive" in on("ufw status")) == ([], True)
    on(f"test ! -e {RECORD}; ! systemctl cat kaspa-firewall-undo.timer 2>/dev/null")
    # The second run is as safe as the first.
    assert '"armed": true' in module(
        SPARE.name, inventory, "kaspa_firewall", record=RECORD, ports=[4011], undo_after=15
    )
    eventually(old, "gone")
    assert (added(), "inactive" in on("ufw status")) == ([], True)
    on("mv /tmp/before.rules /etc/ufw/")


def test_a_run_that_was_killed_after_the_proof_keeps_the_rules_and_those_added_since(inventory: Path) -> None:
    """And a host without any other timer has no directory for them."""
    arguments = {"record": RECORD, "ports": [4011], "undo_after": 300}
    wants = "/etc/systemd/system/timers.target.wants"
    on(f"mv {wants} /root/")
    try:
        assert '"armed": true' in module(SPARE.name, inventory, "kaspa_firewall", **arguments)
        on("systemctl disable --quiet --now kaspa-firewall-undo.timer; ufw allow 443/tcp")
        assert "SUCCESS" in module(SPARE.name, inventory, "kaspa_firewall", **arguments)
        assert "ufw allow 443/tcp" in added()
        on(f"test ! -e {UNDO}; ! systemctl cat kaspa-firewall-undo.timer 2>/dev/null")
        on("ufw --force reset")
        assert '"armed": true' in module(SPARE.name, inventory, "kaspa_firewall", **arguments)
        assert "SUCCESS" in module(SPARE.name, inventory, "kaspa_firewall", record=RECORD, state="proven")
        on(f"test ! -e {UNDO}; ! systemctl cat kaspa-firewall-undo.timer 2>/dev/null")
    finally:
        on("cp -a /root/timers.target.wants /etc/systemd/system/; rm -r /root/timers.target.wants")


def module(host: str, inventory: Path, module_name: str, **arguments: object) -> str:
    """What one module says on a host."""
    argv = [
        Path(sys.executable).with_name("ansible"),
        host,
        "-i",
        "inventory/lab",
        "-i",
        inventory,
        "-m",
        f"kaspa.private_peers.{module_name}",
    ]
    done = subprocess.run(
        [*argv, "-a", json.dumps(arguments)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.stdout + done.stderr


def test_another_host_says_which_filter_blocks_the_relay(inventory: Path) -> None:
    wanted = {"name": SPARE.name, "address": SPARE.address, "timeout": 2}
    assert '"outcome": "open"' in module("client", inventory, "kaspa_reach", **{**wanted, "timeout": 60}, port=PORT)
    on("iptables -I INPUT 1 -p tcp --dport 4011 -j DROP")
    assert "at the provider of relay2" in module("client", inventory, "kaspa_reach", **wanted, port=4011)
    on("iptables -R INPUT 1 -p tcp --dport 4011 -j REJECT --reject-with icmp-host-prohibited")
    said = module("client", inventory, "kaspa_reach", **wanted, port=4011)
    on("iptables -D INPUT 1")
    assert "another filter of relay2 itself" in said


def test_a_reboot_before_the_new_rules_are_proven_brings_the_old_ones_back(inventory: Path) -> None:
    said = module(SPARE.name, inventory, "kaspa_firewall", record=RECORD, ports=[4011], undo_after=20)
    assert '"armed": true' in said
    rebooted = "systemctl show --value --property UserspaceTimestampMonotonic"
    started = on(rebooted)
    login("systemctl reboot")
    assert until(lambda: (now := login(rebooted, seconds=2).stdout) and now not in started, timeout=PATIENCE, pause=0.5)
    eventually(f"test -e {UNDO} || ufw status", "Status: inactive")
    assert added() == []
    on(f"test ! -e {RECORD}; ! systemctl cat kaspa-firewall-undo.timer 2>/dev/null")


def problems(inventory: Path, **variables: object) -> list[str]:
    """What the precheck would say of the host's filters."""
    found = well(firewall(inventory, "-v", firewall_tasks="check", **{"kaspa_firewall_cut": False, **variables}))
    start = found.output.index('"kaspa_firewall_problems": ') + len('"kaspa_firewall_problems": ')
    listed, _ = json.JSONDecoder().raw_decode(found.output, start)
    return [str(problem) for problem in listed]


def test_what_the_filter_would_cut_is_listed_and_what_is_kept_gets_in(inventory: Path) -> None:
    assert problems(inventory) == []
    on("systemd-run --unit web python3 -m http.server 8080")
    on("sysctl -qw net.ipv4.ip_forward=1; ip link add docker0 type bridge")
    try:
        eventually("ss -Htln", ":8080")
        (problem,) = problems(inventory)
        assert "would cut web.service at 8080/tcp, forwarding for docker0; set kaspa_firewall_keep:" in problem
        kept = {"kaspa_firewall_keep": ["8080/tcp", "forwarding"], "kaspa_firewall_cut": False}
        assert problems(inventory, **kept) == []
        well(firewall(inventory, **kept))
        assert "ufw allow 8080/tcp comment 'kaspa-node'" in added()
        assert "allow (routed)" in on("ufw status verbose")
        well(uninstall(inventory))
        assert added() == []
        assert 'DEFAULT_FORWARD_POLICY="DROP"' in on("cat /etc/default/ufw")
    finally:
        on("systemctl stop web; ip link delete docker0; sysctl -qw net.ipv4.ip_forward=0")


def test_a_providers_final_reject_is_named_and_left_alone(inventory: Path) -> None:
    # As the image is shipped: ufw was never on. Its chains are left from other tests; once flushed, they stay so, and a
    # ufw that is switched on later lets nothing in.
    on("iptables-save > /run/rules; iptables -F INPUT; iptables -A INPUT -p tcp --dport 2222 -j ACCEPT")
    on("iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited")
    try:
        for variables in ({}, {"kaspa_firewall_enabled": False}):
            (problem,) = problems(inventory, **variables)
            assert "iptables (`-A INPUT -j REJECT --reject-with icmp-host-prohibited`) refuses 4011/tcp" in problem
            assert "iptables -I INPUT -p tcp --dport 4011 -j ACCEPT" in problem
        on("iptables -I INPUT -p tcp --dport 4011 -j ACCEPT")
        assert problems(inventory, kaspa_firewall_enabled=False) == []
        uplink = on("ip -o route get 198.51.100.7").split(" dev ")[1].split()[0]
        on(f"iptables -R INPUT 1 -i {uplink} -p tcp --dport 4011 -j ACCEPT")
        assert problems(inventory, kaspa_firewall_enabled=False) == []
    finally:
        on("iptables-restore < /run/rules")


def test_a_service_that_replaces_all_rules_at_boot_is_named(inventory: Path) -> None:
    on("systemctl enable --quiet nftables")
    try:
        (problem,) = problems(inventory)
        assert problem.startswith("nftables.service replaces all rules of the host at boot")
        assert "(`flush ruleset` in /etc/nftables.conf)" in problem
    finally:
        on("systemctl disable --quiet nftables")
    assert problems(inventory) == []


def test_the_ports_of_systemds_socket_are_those_of_ssh(inventory: Path) -> None:
    # Port 22 is in the file of sshd, which is not used then.
    on(
        "mkdir -p /etc/systemd/system/ssh.socket.d; cd /etc/systemd/system/ssh.socket.d;"
        f"printf '[Socket]\\nListenStream=\\nListenStream={PORT}\\nListenStream=127.0.0.1:2200\\n' > ports.conf;"
        f"sed -i 's/^Port {PORT}/Port 22/' /etc/ssh/sshd_config; systemctl daemon-reload;"
        "systemd-run --quiet --wait sh -c 'systemctl stop ssh.service; systemctl start ssh.socket'"
    )
    try:
        well(firewall(inventory))
        assert added() == [f"ufw allow {port}/tcp comment 'kaspa-node'" for port in (PORT, 4011)]
        well(uninstall(inventory))
    finally:
        on(
            f"sed -i 's/^Port 22$/Port {PORT}/' /etc/ssh/sshd_config; rm -r /etc/systemd/system/ssh.socket.d;"
            "systemctl daemon-reload;"
            "systemd-run --quiet sh -c 'systemctl stop ssh.socket; systemctl start ssh.service'"
        )
        eventually("systemctl is-active ssh.service", "active")
