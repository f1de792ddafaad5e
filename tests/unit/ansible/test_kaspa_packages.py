"""How packages are installed, and what is said if they can't be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kaspa_packages import Apt, Done, install

HELD = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)\n"
HELD += "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"
LOCKED, WELL = Done(100, "", HELD), Done(0, "", "")


class Host:
    """Answers apt-get's runs in turn, one second each."""

    def __init__(self, *answers: Done) -> None:
        self.answers, self.ran, self.now = list(answers), list[str](), 0.0

    def run(self, argv: Sequence[str]) -> Done:
        self.ran.append(next(word for word in argv[1:] if not word.startswith("-")))
        self.now += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def pause(self) -> None:
        self.now += 2

    def install(self, timeout: float = 30) -> str:
        self.apt = Apt(self.run, timeout, lambda: self.now, self.pause)
        return install(self.apt, ["ufw", "libgmp10"])


def test_packages_are_installed_from_lists_that_are_new() -> None:
    host = Host(WELL)
    assert host.install() == ""
    assert (host.ran, host.apt.waited) == (["update", "install"], 0)


@pytest.mark.parametrize(
    "answers", [(LOCKED, LOCKED, WELL), (WELL, LOCKED, LOCKED, WELL), (LOCKED, WELL, LOCKED, WELL)]
)
def test_a_lock_is_waited_for(answers: tuple[Done, ...]) -> None:
    host = Host(*answers)
    assert host.install() == ""
    assert len(host.ran) == 4
    assert host.apt.waited > 0


def test_who_holds_a_lock_for_too_long() -> None:
    host = Host(LOCKED)
    assert host.install() == (
        "apt can't install ufw, libgmp10: its lock was held for 31 s. Could not get lock "
        "/var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr). Wait until that ends, "
        "and run this again"
    )
    assert host.now < 40


def test_time_for_locks_is_shared_by_update_and_install() -> None:
    host = Host(*[LOCKED] * 8, WELL, LOCKED)
    assert "its lock was held for" in host.install()
    assert host.now < 45


def test_a_source_that_fails_is_no_failure_if_the_packages_can_be_had() -> None:
    assert Host(Done(100, "", "E: The repository 'x' is not signed.\n"), WELL).install() == ""


def test_no_package_of_the_owner_is_removed() -> None:
    out = "Reading state information...\nThe following packages will be REMOVED:\n"
    out += "  iptables-persistent\n  netfilter-persistent\n"
    out += "The following NEW packages will be installed:\n  ufw\n"
    host = Host(WELL, Done(100, out, "E: Packages need to be removed but remove is disabled.\n"))
    assert host.install() == (
        "apt can't install ufw, libgmp10 without removing iptables-persistent, netfilter-persistent; decide on "
        "the host which of them you need"
    )


@pytest.mark.parametrize(
    ("update", "done", "said"),
    [
        (WELL, Done(100, "", "E: Unable to locate package ufw\n"), "Unable to locate package ufw"),
        (
            WELL,
            Done(100, "", "W: a warning\ndpkg: error processing package ufw (--configure):\nE: Sub-process"),
            "processing",
        ),
        (Done(100, "", "E: no network\n"), Done(1, "", ""), "no network"),
        (WELL, Done(7, "", ""), "exit code 7"),
    ],
)
def test_an_error_is_one_line(update: Done, done: Done, said: str) -> None:
    told = Host(update, done).install()
    assert told.startswith(f"apt can't install ufw, libgmp10: {said}")
    assert "\n" not in told
