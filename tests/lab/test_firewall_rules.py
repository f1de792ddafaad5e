"""Deploy's firewall and the real ufw: owners' rules of all kinds, each tried by connections in both IP versions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.filtered import LISTENED, FilteredHost

PROFILES = """
printf '[Node]\\ntitle=t\\ndescription=d\\nports=4000:4100/tcp|53/udp\\n' > /etc/ufw/applications.d/own
printf '[Login]\\ntitle=t\\ndescription=d\\nports=2222/tcp\\n' >> /etc/ufw/applications.d/own
"""
WITHOUT_IPV6 = "sed -i s/IPV6=yes/IPV6=no/ /etc/default/ufw"
ON = "ufw --force enable"
FOREIGN = "ufw allow 22/tcp; ufw route allow in on eth0 out on eth1 to 10.0.0.0/8 port 4011; ufw deny out 25/tcp"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilteredHost]:
    """The host; each test finds ufw as it is when it was installed."""
    made = FilteredHost(tmp_path_factory.mktemp("filtered"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fresh(host: FilteredHost) -> None:
    host.clean()


@pytest.mark.parametrize(
    ("owners", "families", "commands"),
    [
        # ufw off: `limit` and a rule by interface are rules for SSH; a wider limit loses against ours.
        (f"{PROFILES} ufw limit Login; ufw allow in on eth0 to any port 22 proto tcp; ufw limit Node", (4, 6), 3),
        # ufw on, with a rule for all addresses of each IP version, and one with a comment and a log.
        (f"ufw allow 2222/tcp; ufw deny log 4000:4100/tcp comment 'a # b'; ufw deny from any; {ON}", (4, 6), 2),
        (f"{PROFILES} {FOREIGN}; ufw allow Login; ufw reject Node; ufw default reject incoming; {ON}", (4, 6), 2),
        (f"{WITHOUT_IPV6}; ufw allow from 192.0.2.0/24 to 192.0.2.1 port 2222 proto tcp; {ON}", (4,), 1),
        # What the owner has opened needs no rule of ours: identical to it, or by the interface of the default route.
        (f"{FOREIGN}; ufw allow 2222/tcp; ufw allow 4011/tcp comment mine; {ON}", (4, 6), 0),
        (f"ufw allow in on eth0; {ON}", (4, 6), 0),
    ],
)
def test_deploy_opens_the_node_and_nothing_else_and_uninstall_restores(
    host: FilteredHost, owners: str, families: tuple[int, ...], commands: int
) -> None:
    host.on(owners)
    before = host.rules()
    ran = host.run()
    assert (ran.problems, len(ran.commands), ran.changes_again) == ([], commands, False), ran
    for family in (4, 6):
        opened = family in families
        assert host.admits(4011, family=family, expected=opened) == [opened]
    if commands:
        assert host.admits(9999, expected=False) == host.admits(9999, family=6, expected=False) == [False]
    host.run(state="absent")
    assert host.rules() == before


def test_check_mode_says_what_deploy_does_to_a_filter_that_lets_all_in(host: FilteredHost) -> None:
    host.on(f"ufw default allow incoming; ufw deny 9999/tcp; {ON}")
    before = host.rules()
    planned = host.run(check=True)
    assert (host.rules(), planned.commands[-1]) == (before, "default deny incoming")
    ran = host.run()
    assert (ran.commands, ran.changes_again) == (planned.commands, False)
    host.run(state="absent")
    assert host.rules() == before


@pytest.mark.parametrize(
    ("owners", "problem"),
    [
        ("ufw limit 4011/tcp", "`ufw limit 4011/tcp` of this host lets only some of a hole punch's connections in"),
        (
            "ufw allow 4011/tcp; ufw deny proto tcp to ::/0 port 4011",
            "`ufw deny 4011/tcp` of this host shuts it by IPv6",
        ),
        (
            "ufw deny in on eth0 to any port 4011 proto tcp",
            "`ufw deny in on eth0 to any port 4011 proto tcp` of this host",
        ),
        ("ufw reject to 192.0.2.1 port 4011 proto tcp", "`ufw reject to 192.0.2.1 port 4011 proto tcp` of this host"),
        ("ufw allow in on eth1 to any port 2222 proto tcp", "this SSH connection comes from 192.0.2.9 to 2222/tcp"),
        ("ufw deny from 192.0.2.0/24", "`ufw deny from 192.0.2.0/24` would refuse the next one once ufw is on"),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_is_changed(host: FilteredHost, owners: str, problem: str) -> None:
    host.on(owners)
    before = host.rules()
    (found,) = host.run().problems
    assert problem in found
    assert host.rules() == before


def test_a_connection_by_ipv6_is_not_cut_by_a_ufw_without_it(host: FilteredHost) -> None:
    host.on(WITHOUT_IPV6)
    (found,) = host.run(family=6).problems
    assert "this SSH connection comes from 2001:db8::9, and ufw refuses all of IPv6 once it is on" in found


def test_what_the_owner_does_after_a_deploy_is_the_owners_word(host: FilteredHost) -> None:
    host.run(keep=["80/tcp", "123/udp"])
    assert host.admits(80) == [True]
    # ufw replaces our rule by this one.
    host.on("ufw deny 4011/tcp; ufw allow 80/tcp comment mine; ufw delete allow 22/tcp")
    (found,) = host.run().problems
    assert "remove that rule (ufw delete deny 4011/tcp)" in found
    host.run(state="absent")
    assert [line for line in host.rules() if line.startswith("ufw ")] == [
        "ufw deny 4011/tcp",
        "ufw allow 80/tcp comment 'mine'",
    ]


def test_a_filter_that_is_switched_on_while_the_old_rules_come_back_is_off_afterwards(host: FilteredHost) -> None:
    before = host.rules()
    host.arm()
    host.run()
    # ufw runs this file. The command waits for ufw's lock, as one of a deploy that is late.
    late = "if [ $1 = stop ] && mkdir /run/late; then setsid ufw --force enable >/run/late/log 2>&1 & fi"
    host.on(f"printf '#!/bin/sh\\n{late}\\n' > /etc/ufw/before.init && chmod +x /etc/ufw/before.init")
    host.on("sh /var/lib/kaspa-firewall-undo/restore")
    host.on("timeout 60 sh -c 'until grep -q active /run/late/log; do sleep 0.1; done'")
    assert host.rules() == before
    host.on("test ! -e /var/lib/kaspa-firewall-undo")


def test_what_the_rules_say_is_what_the_kernel_does(host: FilteredHost) -> None:
    host.on(
        "ufw allow from 192.0.2.0/24 to any port 2222 proto tcp; ufw deny proto tcp to ::/0 port 80; ufw allow 80;"
        f"ufw reject to 192.0.2.1 port 9999 proto tcp; ufw allow 9000:9999/tcp; ufw limit 4011/tcp; {ON}"
    )
    expected = {(port, family): made for port in (*LISTENED, 2222) for family, made in host.origins(port).items()}
    assert set(expected.values()) == {"everywhere", "limited", "nowhere"}
    for (port, family), origin in expected.items():
        if origin == "limited":
            tried = host.admits(port, family=family, expected=False, times=7)
            assert (tried[0], tried[-1]) == (True, False)
        else:
            opened = origin == "everywhere"
            assert host.admits(port, family=family, expected=opened) == [opened], (port, family)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("file", ["user.rules", "user6.rules"])
def test_rules_that_are_in_force_and_not_in_ufws_files_stop_the_run(host: FilteredHost, state: str, file: str) -> None:
    """A command of ufw would put the files in force: whoever came in by a lost rule would be shut out."""
    host.on(f"ufw allow 22/tcp; ufw allow 2222/tcp; {ON}")
    host.run()
    host.on(f"sed -i '/ufw6*-user-input .*2222/d; /tuple.* 2222 /d' /etc/ufw/{file}")
    before = host.rules()
    (problem,) = host.run(state=state, ports=[4999]).problems
    assert problem.startswith(f"/etc/ufw/{file} has 2 rules for incoming packets, and 3 are in force, so")
    assert (host.rules(), host.admits(4011)) == (before, [True])
