"""Keys on the deployed lab: sealed into a backup and back, and one changed for a new one that everybody is told of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from operations.inventory import CHECKOUT
from tests.fabric import Done, fab
from tests.lab.scenes import UNITS, on, peer_id
from tests.lab.test_part_of_a_fleet import without_sshd
from tests.playbooks import play
from tests.playbooks import well as well_played

KEY = "/var/lib/kaspa-node/identity.key"
DEPLOY = 400.0
WITH_PASSPHRASE = {"KASPA_KEYS_PASSPHRASE": "four words of mine"}


@pytest.fixture(scope="module")
def backup(deployed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of all keys, as they are at first."""
    file = tmp_path_factory.mktemp("backup") / "keys.json"
    well(fab("backup-keys", "--to", str(file), more=WITH_PASSPHRASE))
    return file


def well(done: Done) -> Done:
    assert (done.code, done.complaints) == (0, []), done.out + done.err
    return done


def refused(done: Done, problem: str) -> None:
    """Bad input: one line, exit code 2, no traceback."""
    assert done.code == 2, done.out + done.err
    [line] = done.complaints
    assert problem in line


def key_stamp(name: str) -> str:
    return on(name, f"stat --format=%i-%Y {KEY}")


def started(name: str) -> str:
    return on(name, f"systemctl show --value -p InvocationID {UNITS[name]}")


def mentions(name: str, text: str) -> str:
    """The files of the configuration, the facts and the state that hold a text."""
    return on(name, f"grep -rl -e {text} /etc /var/lib/kaspa-node || true")


def sessions(done: Done) -> list[tuple[str, str]]:
    return [(each["path"], each["state"]) for each in done.document["hosts"]["client"]["status"]["sessions"]]


def test_a_backup_says_who_is_in_it_and_shows_no_key(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    document = json.loads(backup.read_text())
    assert {name: each["peer_id"] for name, each in document["hosts"].items()} == {
        name: peer_id(name) for name in UNITS
    }
    key = on("client", f"base64 -w0 {KEY}")
    assert key[:16] not in backup.read_text()


@pytest.mark.usefixtures("deployed")
def test_a_dry_backup_writes_nothing(tmp_path: Path) -> None:
    done = well(fab("backup-keys", "--to", str(tmp_path / "keys.json"), "--host", "client,relay", "--dry-run"))
    assert f"dry run, not done: {tmp_path}/keys.json written, with 2 keys" in done.out
    assert peer_id("client") in done.out
    assert list(tmp_path.iterdir()) == []


def test_a_backup_overwrites_nothing_and_needs_a_passphrase(backup: Path, tmp_path: Path) -> None:
    refused(fab("backup-keys", "--to", str(backup), more=WITH_PASSPHRASE), "is there already")
    refused(fab("backup-keys", "--to", str(tmp_path)), "no passphrase: name a file (--passphrase-file)")
    refused(fab("backup-keys"), "name the file of the backup")
    refused(fab("backup-keys", "--to", str(tmp_path), "--host", "moon", more=WITH_PASSPHRASE), "no host 'moon'")
    assert list(tmp_path.iterdir()) == []


def test_hosts_that_have_their_keys_are_not_touched(backup: Path) -> None:
    before = {name: (key_stamp(name), started(name)) for name in UNITS}
    done = well(fab("restore-keys", "--from", str(backup), "--json", more=WITH_PASSPHRASE))
    assert done.document["changed"] == []
    assert {name: each["before"] for name, each in done.document["hosts"].items()} == dict.fromkeys(UNITS, "same")
    assert {name: (key_stamp(name), started(name)) for name in UNITS} == before


def test_a_wrong_passphrase_or_a_changed_file_restores_nothing(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("not the one\n")
    words = ("restore-keys", "--from", str(backup), "--passphrase-file", str(tmp_path / "pass"))
    refused(fab(*words), "the passphrase is another one, or the file was changed or damaged")
    changed = tmp_path / "changed.json"
    changed.write_text(backup.read_text().replace(peer_id("client"), peer_id("server")))
    refused(fab("restore-keys", "--from", str(changed), more=WITH_PASSPHRASE), "was changed or damaged")
    refused(fab("restore-keys", "--from", str(tmp_path / "none"), more=WITH_PASSPHRASE), "can't be read")


def test_a_lost_key_comes_back_and_the_node_runs_with_it(backup: Path) -> None:
    mine, others = peer_id("server"), {name: started(name) for name in ("relay", "client")}
    on("server", f"systemctl stop kaspa-peer; rm {KEY}")
    dry = well(fab("restore-keys", "--from", str(backup), "--host", "server", "--dry-run", more=WITH_PASSPHRASE))
    assert f"server: dry run, not done: the key of {mine} written, kaspa-peer restarted" in dry.out
    assert on("server", f"test -e {KEY} || echo none") == "none"

    done = well(fab("restore-keys", "--from", str(backup), more=WITH_PASSPHRASE))
    assert f"server: the key of {mine} written to {KEY}" in done.out
    assert f"server: runs as {mine}" in done.out
    assert "client: has the key of" in done.out
    assert on("server", f"stat --format=%U:%a {KEY}") == "kaspa:600"
    assert {name: started(name) for name in others} == others


@pytest.mark.usefixtures("backup")
def test_a_dry_rotation_says_who_names_the_host_and_changes_nothing() -> None:
    before = {name: (key_stamp(name), started(name)) for name in UNITS}
    done = well(fab("rotate-key", "client", "--dry-run"))
    assert f"client: dry run, not done: the key of {peer_id('client')} replaced by that of a new one" in done.out
    assert "deploy.yml run, so that relay, server, client no longer name" in done.out
    assert {name: (key_stamp(name), started(name)) for name in UNITS} == before
    refused(fab("rotate-key", "moon"), "no host 'moon' in inventory/lab; it has relay, server, client")


def test_a_rotation_is_told_to_everybody_and_leaves_nothing_of_the_old_id(backup: Path) -> None:
    old = peer_id("client")
    done = well(fab("rotate-key", "client", "--json", timeout=DEPLOY))
    new = peer_id("client")
    assert done.document["rotation"] == {"host": "client", "old": old, "new": new}
    assert new != old
    assert {name: mentions(name, old) for name in UNITS} == dict.fromkeys(UNITS, "")
    assert mentions("relay", new)
    assert done.document["hosts"]["client"]["status"]["peer_id"] == new
    assert sessions(done) == [("direct", "ready")] or sessions(done) == [("relayed", "ready")]
    assert on("client", f"ls -A {Path(KEY).parent}") == "identity.key"
    assert "client" in [each["host"] for each in done.document["changed"]]

    refused(
        fab("restore-keys", "--from", str(backup), "--host", "client", more=WITH_PASSPHRASE),
        "another key than the backup's is in use on client, and nothing was changed",
    )
    done = well(fab("restore-keys", "--from", str(backup), "--host", "client", "--replace", more=WITH_PASSPHRASE))
    assert f"client: runs as {old}" in done.out
    assert "Other hosts may have other keys of these hosts on record" in done.out  # the next test's deploy tells them


@pytest.mark.usefixtures("backup")
def test_a_rotation_that_was_interrupted_goes_on() -> None:
    """As if the controller had gone after the new key was put in use, before anybody was told."""
    old = peer_id("relay")
    script = Path("operations/keys/host_program.py").read_text(encoding="utf-8")
    on("relay", f"cat > /run/program.py <<'END'\n{script}\nEND")
    as_node = "runuser -u kaspa -- env KASPA_NODE_STATE_DIR=/var/lib/kaspa-node/rotation"
    new = json.loads(on("relay", f"{as_node} /opt/kaspa-node/bin/kaspa-node identity --json"))["peer_id"]
    record = json.dumps({"old": old, "new": new})
    on("relay", f"python3 /run/program.py begin /var/lib/kaspa-node '{record}'")
    on(
        "relay",
        "python3 /run/program.py swap /var/lib/kaspa-node; chown -R kaspa: /var/lib/kaspa-node; rm /run/program.py",
    )

    done = well(fab("rotate-key", "relay", timeout=DEPLOY))
    assert f"relay: goes on with the rotation from {old} to {new}" in done.out
    assert "  deploy.yml: Start the relays\n" in done.out
    assert peer_id("relay") == new
    assert {name: mentions(name, old) for name in UNITS} == dict.fromkeys(UNITS, "")
    assert "client" in done.out.split("\nsessions")[-1]


def without_repair(directory: Path) -> str:
    """The lab's inventory as one of hosts that deploy does not mend, in a directory that has the checkout's files."""
    for entry in CHECKOUT.iterdir():
        if entry.name != "inventory":
            (directory / entry.name).symlink_to(entry)
    copied = directory / "inventory" / "lab"
    shutil.copytree(CHECKOUT / "inventory" / "lab", copied)
    variables = copied / "group_vars" / "all.yml"
    variables.write_text(variables.read_text(encoding="utf-8").replace("lab: true", "lab: false"), encoding="utf-8")
    return str(copied)


def test_a_key_is_rotated_while_another_peer_is_off_and_the_next_deploy_tells_that_peer(tmp_path: Path) -> None:
    old, hosts = peer_id("client"), without_repair(tmp_path)
    with without_sshd("server"):
        done = fab("rotate-key", "client", "--inventory", hosts, timeout=DEPLOY)
    new = peer_id("client")
    assert (done.code, new != old) == (2, True), (done.out, done.complaints)
    assert f"{old} is gone from the configuration of every host that is up" in done.out
    (off,) = done.complaints
    assert off.startswith("server: is off (")
    assert off.endswith(f"it still trusts the old id {old}; run deploy.yml when it is back")
    assert (mentions("relay", old), mentions("client", old)) == ("", "")
    assert mentions("server", old)
    well_played(play("deploy.yml", "lab"))
    assert {name: mentions(name, old) for name in UNITS} == dict.fromkeys(UNITS, "")
    assert peer_id("client") == new
