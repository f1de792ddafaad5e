from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_listeners
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import Filters
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_firewall_check import Host, Wanted, problems
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_rulesets import Replacer
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import parse

FIREWALLD = (Path(__file__).parent / "filters" / "firewalld.json").read_text()
REJECT = ":INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with icmp-host-prohibited"
SIX = "default via fe80::1 dev eth0"
BOTH: dict[str, Any] = {
    "routes": {4: "default via 192.0.2.1 dev eth0", 6: SIX},
    "addresses": "2: eth0    inet 192.0.2.7/24 scope global eth0\n2: eth0    inet6 2001:db8::7/64 scope global",
}
LISTENING = """\
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3)) cgroup:/system.slice/ssh.service <->
tcp LISTEN 0 128 *:4011 *:* users:(("python",pid=2,fd=3)) cgroup:/system.slice/kaspa-relay.service v6only:0 <->
tcp LISTEN 0 128 127.0.0.1:5432 0.0.0.0:* cgroup:/system.slice/postgresql.service <->
udp UNCONN 0 0 192.0.2.1%eth0:68 0.0.0.0:* cgroup:/system.slice/systemd-networkd.service <->
"""
WEB = "tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* cgroup:/system.slice/nginx.service <->\n"
VPN = "udp UNCONN 0 0 0.0.0.0:51820 0.0.0.0:* ino:0 sk:1 <->\n"


def ufw(*tuples: str, active: bool = False, ipv6: bool = True) -> Any:
    defaults = f'IPV6={"yes" if ipv6 else "no"}\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_FORWARD_POLICY="DROP"\n'
    four = "\n".join(f"### tuple ### {each} in" for each in tuples)
    six = four.replace("0.0.0.0/0", "::/0")
    return parse(active, defaults, four, six)


def found(
    listening: str = LISTENING, found_ufw: Any = None, interfaces: Sequence[str] = (), **others: Any
) -> tuple[Any, ...]:
    return Host(found_ufw or ufw(), Filters(**others), kaspa_listeners.parse(listening), interfaces), Wanted(
        [4011], {22}
    )


def said(host: Host, wanted: Wanted) -> str:
    found = problems(host, wanted)
    assert len(found) < 2
    return "".join(found)


def wanting(**values: Any) -> Wanted:
    return Wanted(**{"ports": [4011], "ssh": {22}, **values})


def test_a_fresh_host_and_one_that_is_deployed_pass() -> None:
    assert said(*found()) == ""
    assert said(*found(found_ufw=ufw("allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0", active=True))) == ""
    host = Host(None, Filters(), kaspa_listeners.parse(LISTENING))
    assert problems(host, wanting()) == []


def test_what_would_be_cut_is_listed_with_what_to_set() -> None:
    text = said(*found(LISTENING + WEB + VPN, interfaces=["docker0", "eth0"], **BOTH))
    assert text.startswith(
        "deploy switches ufw on, which would cut nginx.service at 80/tcp, another program at 51820/udp, forwarding for "
        "docker0; set kaspa_firewall_keep: [80/tcp, 51820/udp, forwarding]"
    )


def udp(address: str, owner: str) -> str:
    """A line of ss for a socket that is not connected."""
    return f"udp UNCONN 0 0 {address} 0.0.0.0:* ino:1 sk:1 cgroup:/system.slice/{owner} <->\n"


# chrony with `allow`, WireGuard of the kernel, a server for HTTP/3, another service on the port of mDNS, …
@pytest.mark.parametrize(
    ("line", "word"),
    [
        (udp("0.0.0.0:123", "chrony.service"), "123/udp"),
        (udp("[::]:123", "ntpsec.service"), "123/udp"),
        (VPN, "51820/udp"),
        (udp("*:443", "caddy.service"), "443/udp"),
        (udp("192.0.2.1:53", "named.service"), "53/udp"),
        (udp("0.0.0.0:5353", "dnscrypt-proxy.service"), "5353/udp"),
        (udp("0.0.0.0:67", "systemd-networkd.service"), "67/udp"),
        (udp("0.0.0.0:41641", "tailscaled.service"), "41641/udp"),
    ],
)
def test_a_udp_service_has_no_state_that_says_so_and_is_listed(line: str, word: str) -> None:
    assert f"set kaspa_firewall_keep: [{word}]" in said(*found(LISTENING + line))


@pytest.mark.parametrize(
    "line",
    [
        udp("127.0.0.1:323", "chrony.service"),
        udp("[::1]:323", "chrony.service"),
        udp("0.0.0.0:5353", "avahi-daemon.service"),
        udp("0.0.0.0:48231", "avahi-daemon.service"),
        udp("0.0.0.0:41234", "systemd-timesyncd.service"),
        udp("127.0.0.53%lo:53", "systemd-resolved.service"),
        udp("0.0.0.0:5355", "systemd-resolved.service"),
        udp("[fe80::1]%eth0:546", "systemd-networkd.service"),
    ],
)
def test_udp_sockets_of_programs_that_serve_nobody_else(line: str) -> None:
    assert said(*found(LISTENING + line)) == ""


@pytest.mark.parametrize(
    "wanted",
    [
        {"keep": ["80/tcp", "51820/udp", "forwarding"]},
        {"cut": True},
        {"keep": ["80/tcp"], "cut": True},
        {"enabled": False},
    ],
)
def test_what_is_kept_or_may_be_cut_is_no_problem(wanted: dict[str, Any]) -> None:
    host, _ = found(LISTENING + WEB + VPN, interfaces=["docker0"])
    assert problems(host, wanting(**wanted)) == []
    (problem,) = problems(host, wanting(keep=["80/tcp"]))
    assert "nginx" not in problem
    assert "51820/udp, forwarding]" in problem


def test_a_rule_of_the_owners_says_what_stays_and_what_goes() -> None:
    host, wanted = found(LISTENING + WEB, ufw("allow tcp 80 0.0.0.0/0 any 192.0.2.0/24"))
    assert said(host, wanted) == ""
    for action in ("allow", "limit", "deny"):
        host, wanted = found(LISTENING + WEB, ufw(f"{action} tcp 80 0.0.0.0/0 any 0.0.0.0/0"))
        assert said(host, wanted) == ""


def test_a_filter_that_is_on_cuts_nothing_new() -> None:
    assert said(*found(LISTENING + WEB, ufw(active=True), ["docker0"])) == ""


@pytest.mark.parametrize("entry", ["http", "443", "443/sctp", "70000/tcp", "0/udp"])
def test_an_entry_that_keeps_nothing(entry: str) -> None:
    host, _ = found()
    (problem,) = problems(host, wanting(keep=[entry]))
    assert problem.startswith(f"kaspa_firewall_keep has {entry!r}; its entries are ports such as 443/tcp")


def test_no_port_of_the_node() -> None:
    (problem,) = problems(found(firewalld=True)[0], wanting(ports=[]))
    assert problem.startswith("kaspa_firewall_ports is empty; name the node's port there")


def test_a_host_that_is_reached_locally_is_told_that_its_ssh_server_would_be_cut() -> None:
    host, _ = found()
    (problem,) = problems(host, wanting(ssh=()))
    assert "would cut ssh.service at 22/tcp; set kaspa_firewall_keep: [22/tcp]" in problem


def test_a_router_forwards_between_interfaces_of_any_name() -> None:
    assert "would cut forwarding for enp2s0, wlan0;" in said(*found(interfaces=["enp2s0", "eth0", "wlan0"], **BOTH))


@pytest.mark.parametrize(
    ("others", "who"),
    [
        (
            {"iptables": {4: REJECT}},
            "iptables (`-A INPUT -j REJECT --reject-with icmp-host-prohibited`) refuses 4011/tcp",
        ),
        (
            {"iptables": {6: REJECT}, "routes": {6: SIX}, "addresses": "2: eth0    inet6 2001:db8::7/64 scope global"},
            "ip6tables (`-A INPUT -j REJECT --reject-with icmp-host-prohibited`) refuses 4011/tcp before ufw is asked; "
            "let it in before that rule (ip6tables -I INPUT",
        ),
        (
            {"iptables": {4: ":INPUT DROP [0:0]"}},
            "iptables (policy of INPUT) refuses 4011/tcp and ufw would replace it; let it in (iptables -I INPUT",
        ),
        ({"firewalld": True}, "firewalld filters this host; open the port there (firewall-cmd"),
        ({"persistent": ["iptables-persistent"]}, "iptables-persistent is installed, which ufw can't be together with"),
    ],
)
def test_another_filter_is_named_with_what_to_do_and_not_replaced(others: dict[str, Any], who: str) -> None:
    text = said(*found(**others))
    assert text.startswith(who)
    assert text.endswith("and set kaspa_firewall_enabled: false")


def test_what_throws_ufws_rules_away_is_named_also_if_ufw_is_on() -> None:
    replacers = [Replacer("nftables.service", "`flush ruleset` in /etc/nftables.conf")]
    open_port = "allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0"
    for filter_ in (None, ufw(), ufw(open_port, active=True)):
        (problem,) = problems(Host(filter_, Filters(), replacers=replacers), wanting())
        assert problem == (
            "nftables.service replaces all rules of the host at boot or when it is reloaded (`flush ruleset` in "
            "/etc/nftables.conf), so ufw's would be lost; put its rules into ufw and disable it (systemctl disable "
            "nftables.service), or let 4011/tcp in there and set kaspa_firewall_enabled: false"
        )
        assert problems(Host(filter_, Filters(), replacers=replacers), wanting(enabled=False)) == []


def test_a_zone_of_firewalld_that_does_not_let_the_relays_port_in() -> None:
    host, _ = found(firewalld=True, nft=FIREWALLD)
    (problem,) = problems(host, wanting(enabled=False, public=True))
    assert "firewalld (a rule of its chain filter_IN_public) refuses 4011/tcp; open it there (firewall-cmd" in problem
    assert problems(host, wanting(ports=[4012], enabled=False, public=True)) == []


def test_a_rule_before_ufws_is_named_although_ufw_is_on() -> None:
    text = said(*found(found_ufw=ufw("allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0", active=True), iptables={4: REJECT}))
    assert "refuses 4011/tcp before ufw is asked; let it in before that rule (iptables -I INPUT -p tcp" in text


def test_without_a_firewall_of_ours_the_relays_port_must_be_open_all_the_same() -> None:
    host, _ = found(found_ufw=ufw(active=True))
    assert problems(host, wanting(enabled=False)) == []
    (problem,) = problems(host, wanting(enabled=False, public=True))
    assert problem.startswith("ufw refuses 4011/tcp (the default policy); let it in: ufw allow 4011/tcp")
    host, _ = found(iptables={4: REJECT})
    (problem,) = problems(host, wanting(enabled=False, public=True))
    assert problem.startswith("iptables (`-A INPUT -j REJECT")


INSTEAD = "; or set kaspa_node_listen_address: 0.0.0.0, so that the node uses IPv4 only"


def test_a_port_that_another_filter_shuts_by_ipv6_alone() -> None:
    host, wanted = found(iptables={6: REJECT}, **BOTH)
    text = said(host, wanted)
    assert "refuses 4011/tcp by IPv6 before ufw is asked; let it in before that rule (ip6tables -I INPUT" in text
    assert text.endswith(f"kaspa_firewall_enabled: false{INSTEAD}")
    assert said(host, wanting(listening=["0.0.0.0"])) == ""
    host, wanted = found(iptables={4: REJECT, 6: REJECT}, **BOTH)
    four, six = problems(host, wanted)
    assert "refuses 4011/tcp by IPv4 before ufw is asked; let it in before that rule (iptables -I" in four
    assert "refuses 4011/tcp by IPv6 before ufw is asked; let it in before that rule (ip6tables -I" in six


def test_ufw_without_rules_for_ipv6_on_a_host_that_has_it() -> None:
    four = "allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0"
    host, wanted = found(found_ufw=ufw(four, active=True, ipv6=False), **BOTH)
    assert said(host, wanted) == (
        "IPV6=no in /etc/default/ufw makes ufw refuse all of IPv6, and peers try 4011/tcp by both IP versions; set "
        f"IPV6=yes there (then ufw reload){INSTEAD}"
    )
    assert said(host, wanting(listening=["0.0.0.0"])) == ""
    assert said(host, wanting(enabled=False, public=True)) == said(host, wanted)
    assert said(*found(found_ufw=ufw(four, active=True, ipv6=False))) == ""
    # A node of IPv4 alone; but everything else of the host has IPv6 too.
    off, _ = found(found_ufw=ufw(ipv6=False), **BOTH)
    text = said(off, wanting(listening=["0.0.0.0"]))
    assert text.startswith("deploy switches ufw on, which would cut all of IPv6 (IPV6=no in /etc/default/ufw)")
    assert said(off, wanting(listening=["0.0.0.0"], cut=True)) == ""
    assert said(off, wanting(enabled=False, public=True)) == ""


def test_a_relays_port_that_ufw_shuts_by_ipv6_alone() -> None:
    rules = "### tuple ### allow tcp 4011 0.0.0.0/0 any 0.0.0.0/0 in\n"
    half = parse(True, 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n', rules, "")
    host, _ = found(found_ufw=half, **BOTH)
    text = said(host, wanting(enabled=False, public=True))
    assert text.startswith("ufw refuses 4011/tcp by IPv6 (the default policy); let it in: ufw allow 4011/tcp")
    assert text.endswith(INSTEAD)
