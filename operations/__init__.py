"""Tasks for operators of a deployment, made with Fabric: `fab --list`.

    tasks/      what users run; each combines the parts below
    operation   the common options, errors and exit codes of all tasks
    fleet       many hosts at once
    report      what a task shows
    ask         the node's own commands
    link        one host: run, stream, read, write; over SSH or on this machine
    inventory   Ansible's inventory and the roles' variables, the one source of hosts and paths
    problems    what can go wrong, as one line for people

Imports point downwards. No task knows SSH, no link knows tasks.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Rules and formats that deploy and the tasks share are there once, and need nothing of Ansible's.
sys.path.append(str(Path(__file__).resolve().parent.parent / "ansible" / "plugins" / "module_utils"))
