"""What operators do with a deployment, as Fabric tasks: `fab --list`.

    tasks/      what is typed; each puts together what is below
    operation   the options, errors and exit codes that all tasks have in common
    fleet       many hosts at once
    report      what a task shows
    ask         the node's own commands
    link        one host: run, stream, read, write; over SSH or on this machine
    inventory   Ansible's inventory and the roles' variables, the one source of hosts and paths
    problems    what can go wrong, in one line for people

Imports point downwards. No task knows SSH, no link knows tasks.
"""

from __future__ import annotations
