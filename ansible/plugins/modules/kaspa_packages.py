#!/usr/bin/python
"""Installs Debian packages, waits for apt's lock, and says in one line why it can't."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kaspa_packages
short_description: Install Debian packages that are missing
description:
  - Needs apt-get and nothing else. Waits while another program, such as unattended-upgrades, holds a lock of apt or
    dpkg. After C(lock_timeout) it fails and names that program.
  - No installed package is removed, and files that the owner of the host has changed stay.
  - A package source that can't be updated is no failure if the packages can be installed.
options:
  name: {type: list, elements: str, required: true, description: Packages that are not installed.}
  lock_timeout: {type: int, default: 600, description: Seconds to wait for locks.}
"""

EXAMPLES = r"""
- name: Install the Debian packages that are missing
  kaspa_packages:
    name: "{{ ansible_facts.kaspa_host.missing }}"
"""

RETURN = r"""
waited: {type: int, returned: success, description: Seconds for which a lock was held by others.}
"""

PAUSE = 2.0
INSTALL = [
    "install",
    "--yes",
    "--no-install-recommends",
    "--no-remove",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
]
# Messages in English, because some of them are read here; no questions, and no service of others is restarted.
ENVIRONMENT = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
_LOCKED = re.compile(r"^E: (Could not get lock .*)$", re.MULTILINE)
_ERROR = re.compile(r"^(?:E: |dpkg: error )(.*)$", re.MULTILINE)
_REMOVED = re.compile(r"^The following packages will be REMOVED:\n((?: .*\n)+)", re.MULTILINE)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lock(self) -> str:
        """What apt says of a lock that others hold; "" if it got every lock."""
        found = _LOCKED.search(self.err) if self.code else None
        return found[1] if found else ""


class Apt:
    """Runs apt-get, and waits for locks of all its runs together for `timeout` seconds at most."""

    def __init__(
        self,
        run: Callable[[Sequence[str]], Done],
        timeout: float,
        clock: Callable[[], float],
        pause: Callable[[], None],
    ) -> None:
        self._run, self._timeout, self._clock, self._pause = run, timeout, clock, pause
        self.waited = 0.0

    def __call__(self, *words: str) -> Done:
        """One run of apt-get; its result may still be that a lock is held."""
        began, before = self._clock(), self.waited
        while True:
            done = self._run(["apt-get", "--quiet", *words])
            if not done.lock:
                return done
            self.waited = before + self._clock() - began
            if self.waited >= self._timeout:
                return done
            self._pause()


def install(apt: Apt, names: Sequence[str]) -> str:
    """Install the packages; returns why that is not possible, "" if it was."""
    update = apt("update")
    done = update if update.lock else apt(*INSTALL, *names)
    return problem(done, update, names, apt.waited) if done.code else ""


def problem(done: Done, update: Done, names: Sequence[str], waited: float) -> str:
    """Why the packages can't be installed, in one line."""
    what = f"apt can't install {', '.join(names)}"
    if done.lock:
        return f"{what}: its lock was held for {waited:.0f} s. {done.lock}. Wait until that ends, and run this again"
    removed = _REMOVED.search(done.out)
    if removed:
        return f"{what} without removing {', '.join(removed[1].split())}; decide on the host which of them you need"
    errors = [found[1] for each in (done, update) for found in _ERROR.finditer(each.err) if each.code]
    return f"{what}: {errors[0] if errors else f'exit code {done.code}'}; /var/log/apt/term.log there may say more"


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "lock_timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    if module.check_mode or not wanted["name"]:
        module.exit_json(changed=bool(wanted["name"]), waited=0)

    def run(argv: Sequence[str]) -> Done:
        return Done(*module.run_command(list(argv), environ_update=ENVIRONMENT))

    apt = Apt(run, wanted["lock_timeout"], time.monotonic, lambda: time.sleep(PAUSE))
    why = install(apt, wanted["name"])
    if why:
        module.fail_json(msg=why)
    module.exit_json(changed=True, waited=round(apt.waited))


if __name__ == "__main__":
    main()
