"""What throws away ufw's rules at boot or at a reload, by what a Debian 12 printed."""

from __future__ import annotations

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_rulesets


def unit(name: str, argv: str, reload: str = "") -> str:
    """A service as `systemctl show` prints it."""
    lines = [("ExecStart", argv), *([("ExecReload", reload)] if reload else [])]
    shown = (
        f"{kind}={{ path={words.split()[0]} ; argv[]={words} ; ignore_errors=no ; pid=0 ; status=0/0 }}\n"
        for kind, words in lines
    )
    return f"{''.join(shown)}Id={name}\n"


NFTABLES = unit("nftables.service", "/usr/sbin/nft -f /etc/nftables.conf", "/usr/sbin/nft -f /etc/nftables.conf")
UFW = unit("ufw.service", "/lib/ufw/ufw-init start quiet")
SSH = unit("ssh.service", "/usr/sbin/sshd -D $SSHD_OPTS", "/bin/kill -HUP $MAINPID")
FLUSH = "/etc/nftables.conf:flush ruleset\n"


def printed(*units: str, hits: str = "") -> str:
    return "\n".join([SSH, *units, UFW]) + hits


@pytest.mark.parametrize(
    ("text", "who", "how"),
    [
        (printed(NFTABLES, hits=FLUSH), "nftables.service", "`flush ruleset` in /etc/nftables.conf"),
        (
            printed(unit("filter.service", "/bin/sh -c iptables-restore < /etc/v4")),
            "filter.service",
            "`/bin/sh -c iptables-restore < /etc/v4`",
        ),
        (printed(unit("ferm.service", "/etc/init.d/ferm start")), "ferm.service", "with its own ones"),
        (
            printed(unit("wall.service", "/usr/local/sbin/wall"), hits="/usr/local/sbin/wall:  iptables -F\n"),
            "wall.service",
            "`iptables -F` in /usr/local/sbin/wall",
        ),
        (
            printed(hits="/etc/network/if-pre-up.d/iptables:iptables-restore < /etc/iptables.up.rules\n"),
            "/etc/network/if-pre-up.d/iptables",
            "`iptables-restore < /etc/iptables.up.rules`",
        ),
    ],
)
def test_what_replaces_all_rules_is_named_with_what_says_so(text: str, who: str, how: str) -> None:
    (found,) = kaspa_rulesets.parse(text)
    assert (found.who, found.how) == (who, how)


@pytest.mark.parametrize(
    "text",
    [
        "",
        printed(),
        printed(NFTABLES),
        printed(NFTABLES, hits="/etc/nftables.conf:# flush ruleset\n"),
        # ufw's own program restores rules of iptables too.
        printed(hits="/lib/ufw/ufw-init:iptables-restore < rules\n"),
        printed(unit("more.service", "/usr/sbin/iptables-restore --noflush /etc/more")),
        printed(hits="/etc/rc.local:iptables-restore -n < /etc/more\n"),
    ],
)
def test_what_leaves_the_rules_of_others_alone(text: str) -> None:
    assert kaspa_rulesets.parse(text) == []


def test_the_remedy_leaves_the_present_rules_alone() -> None:
    (nftables,) = kaspa_rulesets.parse(printed(NFTABLES, hits=FLUSH))
    assert nftables.remedy == "disable it (systemctl disable nftables.service)"
    (script,) = kaspa_rulesets.parse(printed(hits="/etc/rc.local:iptables -F\n"))
    assert script.remedy == "remove that line"
