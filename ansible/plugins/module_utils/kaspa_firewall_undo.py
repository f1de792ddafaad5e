"""A dead man's switch: a timer of this host restores ufw's rules, unless it is stopped in time.

The timer is a unit of its own on disk. So it outlives the connection and the program that set it, and if the host
reboots before the new rules have been proven, it starts again and restores the old ones then.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw_host
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import command

KEPT = Path("/var/lib/kaspa-firewall-undo")
NAME = "kaspa-firewall-undo"
_UNITS = Path("/etc/systemd/system")
_SERVICE = f"""\
[Unit]
Description=Restore the firewall as it was before kaspa-node changed it

[Service]
Type=oneshot
ExecStart=/bin/sh {KEPT}/restore
"""
_TIMER = """\
[Unit]
Description=Restore the firewall, unless a new SSH connection proves the new rules

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


_BEGUN = KEPT / "begun"
_LATE = "for try in 1 2 3 4 5 6 7 8 9; do pgrep -x ufw >/dev/null || break; sleep 1; done"
"""Waits for a command of ufw that the program which set the timer has begun."""


def armed() -> bool:
    """Whether there are old rules that will come back."""
    return unfinished() and not _BEGUN.exists()


def unfinished() -> bool:
    """Whether there are old rules that will come back, or are coming back."""
    return (KEPT / "restore").exists()


def arm(seconds: int, active: bool, files: Sequence[str]) -> None:
    """Keep ufw's state and these files, and restore all of it after that time. active: whether ufw filters now."""
    KEPT.mkdir(mode=0o700, parents=True, exist_ok=True)
    _BEGUN.unlink(missing_ok=True)
    lines = [f"exec 2>&1; {{ echo 'The new rules of the firewall were not proven within {seconds} s.'"]
    # From here on no command follows (armed), and one that has begun is waited for.
    lines += [f"touch {_BEGUN}", _LATE]
    again = [] if active else ["ufw disable"]
    for number, path in enumerate([*kaspa_ufw_host.FILES, *files]):
        kept = KEPT / str(number)
        if Path(path).exists():
            shutil.copy2(path, kept)
            again.append(f"cp -p {kept} {shlex.quote(path)}")
        else:
            again.append(f"rm -f {shlex.quote(path)}")
    if active:
        again.append("ufw reload")
    # Twice: a command that was late all the same may have switched the filter on, and written the new rules.
    lines += again + again
    # Only disabled, the timer would stay active, and start no more.
    lines += [f"rm -rf {KEPT}", f"systemctl disable --now --no-block {NAME}.timer"]
    lines += [f"rm -f {_UNITS}/{NAME}.service {_UNITS}/{NAME}.timer", "systemctl --no-block daemon-reload"]
    lines += ["echo 'The old rules are back.'", "exit 0; }"]
    (_UNITS / f"{NAME}.service").write_text(_SERVICE, encoding="utf-8")
    (_UNITS / f"{NAME}.timer").write_text(_TIMER.format(seconds=seconds), encoding="utf-8")
    # Last: with this file the switch counts as armed.
    (KEPT / "restore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.sync()
    command(["systemctl", "daemon-reload"])
    command(["systemctl", "enable", "--quiet", f"{NAME}.timer"])
    # To start a timer that is active already, or has elapsed, does nothing.
    command(["systemctl", "restart", f"{NAME}.timer"])
    if _shown("timer", "SubState") != "waiting":
        raise OSError("no rule was changed, because the timer that would restore the old ones does not run")


def resolve() -> None:
    """End what an earlier run has left.

    If its timer is set, its rules were not proven: the old ones are restored now. Without a timer that run ended before
    it changed a rule, or after the proof: the rules stay, also those that others have added since.
    """
    if _BEGUN.exists() or (armed() and _shown("timer", "ActiveState") == "active"):
        command(["systemctl", "start", f"{NAME}.service"])
    _remove()


def disarm() -> bool:
    """Stop the timer; False if it was too late, and the old rules are back."""
    if not armed():
        return False
    command(["systemctl", "disable", "--now", "--quiet", f"{NAME}.timer"])
    if _shown("service", "ActiveState") != "inactive":
        return False
    _remove()
    return True


def _remove() -> None:
    """Remove what `arm` made."""
    if (_UNITS / f"{NAME}.timer").exists():
        command(["systemctl", "disable", "--now", "--quiet", f"{NAME}.timer"])
    shutil.rmtree(KEPT, ignore_errors=True)
    for kind in ("service", "timer"):
        (_UNITS / f"{NAME}.{kind}").unlink(missing_ok=True)
    command(["systemctl", "daemon-reload"])


def _shown(kind: str, name: str) -> str:
    """A property of the timer or of the service."""
    return command(["systemctl", "show", "--value", "--property", name, f"{NAME}.{kind}"]).strip()
