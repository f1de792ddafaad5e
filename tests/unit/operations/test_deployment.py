"""What is shown of a playbook, and what is kept of its failure."""

from __future__ import annotations

from operations.deployment import Progress

PRINTED = """
PLAY [Check the inventory] *****************************************************

TASK [See that it has the groups] **********************************************
ok: [relay]

PLAY [Upgrade one host after the other] ****************************************
changed: [relay]

PLAY [Upgrade one host after the other] ****************************************
... kaspa_node : Restart: still running on server (4 s)
[ERROR]: Task failed: Module failed: kaspa-peer is not reserved after 60 s: no relay
fatal: [server]: FAILED! => {"changed": false}
[ERROR]: Task failed: a second one

PLAY RECAP *********************************************************************
relay                      : ok=12   changed=3    unreachable=0    failed=0    skipped=5    rescued=0    ignored=0
server                     : ok=12   changed=0    unreachable=0    failed=1    skipped=5    rescued=0    ignored=0
"""


def test_plays_are_shown_once_and_what_takes_long() -> None:
    progress = Progress()
    shown = [text for line in PRINTED.splitlines() if (text := progress.read(line))]
    assert shown == [
        "Check the inventory",
        "Upgrade one host after the other",
        "... kaspa_node : Restart: still running on server (4 s)",
    ]


def test_the_first_error_and_the_changes_are_kept() -> None:
    progress = Progress()
    for line in PRINTED.splitlines():
        progress.read(line)
    assert progress.errors[0] == "Module failed: kaspa-peer is not reserved after 60 s: no relay"
    assert progress.changed == {"relay": 3, "server": 0}
    assert not progress.left_out


def test_a_playbook_that_left_out_a_host_is_told_from_one_that_failed() -> None:
    progress = Progress()
    progress.read("[ERROR]: Task failed: Action failed: left out: client: connection refused; run deploy.yml again")
    assert progress.left_out
