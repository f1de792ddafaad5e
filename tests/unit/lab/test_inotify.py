"""The kernel's own limit, in a user namespace of the test, and what is said if it leaves too few for a host."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab import inotify
from lab.errors import LabError
from lab.paths import CHECKOUT

LIMITED = """
echo {limit} > /proc/sys/user/max_inotify_instances || exit 9
exec "$0" -c 'from lab import inotify; print(inotify.free(20)); print(inotify.shortage(1))'
"""


def limited_to(limit: int) -> list[str]:
    """What a process sees that can have so many."""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", LIMITED.format(limit=limit), sys.executable],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_limit_of_the_kernel_is_found() -> None:
    assert limited_to(5) == [
        "5",
        "5 inotify instances are free, and 1 host needs 9: sysctl -w fs.inotify.max_user_instances=1024",
    ]
    assert limited_to(12) == ["12", ""]


def test_hosts_that_could_not_boot_are_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify, "free", lambda most: min(23, most))
    inotify.require(2)
    with pytest.raises(LabError, match="^23 inotify instances are free, and 3 hosts need 27: sysctl -w "):
        inotify.require(3)
