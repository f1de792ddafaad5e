"""`fab backup-keys` and `fab restore-keys`."""

from __future__ import annotations

from datetime import UTC, datetime

from operations import locks, services
from operations.fleet import on_all
from operations.inventory import Node
from operations.keys import backup, passphrase, vault
from operations.keys.rotation import settled
from operations.link import Link
from operations.operation import Call, operation
from operations.problems import UsageProblem

PASSPHRASE = "a file whose first line is the passphrase"


@operation(
    timeout=60.0,
    changes=True,
    help={"to": "a new file, or a directory", "host": "only these hosts, with commas", "passphrase_file": PASSPHRASE},
)
def backup_keys(call: Call, to: str | None = None, host: str | None = None, passphrase_file: str | None = None) -> None:
    """Save the keys of the hosts in one file, encrypted with a passphrase."""
    if not to:
        raise UsageProblem("name the file of the backup: --to FILE or --to DIRECTORY")
    now = datetime.now(UTC)
    file = backup.file_to_write(to, now)
    nodes = call.inventory.some(host)
    secret = None if call.dry_run else passphrase.passphrase(passphrase_file, new=True)
    backup.load_libp2p()
    keys = settled(call.report, on_all(nodes, lambda node, link: backup.read_key(link, node), timeout=call.timeout))
    for name, entry in keys.items():
        call.report.host(name, {"peer_id": entry.peer_id, "role": entry.role})
    call.report.table(
        "keys", ("host", "role", "peer id"), [(name, key.role, key.peer_id) for name, key in keys.items()]
    )
    if secret is not None:
        sealed = vault.seal(vault.Backup(f"{now:%Y-%m-%dT%H:%M:%SZ}", keys), secret)
        backup.write_new(file, sealed)
        # A backup that can't be read is worse than no backup.
        backup.read_backup(str(file), secret)
    call.report.add("file", str(file))
    call.report.changed(f"{file} written, with {len(keys)} keys")
    if not call.dry_run:
        call.report.say("Without the passphrase it is worth nothing; keep the two in different places.")


@operation(
    timeout=60.0,
    changes=True,
    locks=True,
    help={
        "from_": "the file that backup-keys wrote",
        "host": "only these hosts, with commas",
        "replace": "also if a host has another key, which is then lost",
        "passphrase_file": PASSPHRASE,
    },
)
def restore_keys(
    call: Call,
    from_: str | None = None,
    host: str | None = None,
    replace: bool = False,
    passphrase_file: str | None = None,
) -> None:
    """Restore the keys of a backup to their hosts; a host that has its key already is not changed."""
    if not from_:
        raise UsageProblem("say which backup: --from FILE")
    inventory = call.inventory
    names = None if host is None else tuple(node.name for node in inventory.some(host))
    found = backup.read_backup(from_, passphrase.passphrase(passphrase_file, new=False))
    keys = backup.chosen(found, names, inventory.nodes, inventory.source)
    nodes = [inventory.nodes[name] for name in keys]
    with locks.held(call.report, nodes, timeout=call.timeout, seize=call.break_lock) as held:
        settled(call.report, held.off)
        _restore(call, found, nodes, keys, replace=replace)


def _restore(
    call: Call, found: vault.Backup, nodes: list[Node], keys: dict[str, vault.Entry], *, replace: bool
) -> None:
    states = settled(
        call.report, on_all(nodes, lambda node, link: backup.compare(link, node, keys[node.name]), timeout=call.timeout)
    )
    others = [name for name, state in states.items() if state == backup.OTHER]
    if others and not replace:
        raise UsageProblem(
            f"another key than the backup's is in use on {', '.join(others)}, and nothing was changed; "
            "--replace puts the backup's in its place, and the other is lost"
        )
    call.report.say(f"backup of {found.made}")
    for name, state in states.items():
        call.report.host(name, {"peer_id": keys[name].peer_id, "before": state})
        if state == backup.SAME:
            call.report.say(f"{name}: has the key of {keys[name].peer_id} already, nothing changed")
    lacking = [node for node in nodes if states[node.name] != backup.SAME]
    if call.dry_run:
        for node in lacking:
            call.report.changed(f"the key of {keys[node.name].peer_id} written, {node.service} restarted", node.name)
        return
    _put_back(call, lacking, keys)


def _put_back(call: Call, nodes: list[Node], keys: dict[str, vault.Entry]) -> None:
    def work(node: Node, link: Link) -> tuple[list[str], str | None]:
        return backup.put_back(link, node, keys[node.name], timeout=call.timeout)

    outcome = on_all(nodes, work, timeout=call.timeout + services.STOP_SECONDS)
    for name, result in outcome.items():
        if isinstance(result, tuple):
            changes, running = result
            for change in changes:
                call.report.changed(change, name)
            call.report.say(f"{name}: runs as {running}" if running else f"{name}: deploy.yml will use this key")
    call.report.problems_of(outcome)
    if nodes:
        known = "Other hosts may have other keys of these hosts on record; deploy updates them: "
        call.report.say(call.report.advice(f"{known}ansible-playbook deploy.yml"))
