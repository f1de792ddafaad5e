"""docs/verdicts.md and docs/milestones.md, rendered from the tables that the program itself uses."""

from __future__ import annotations

import logging

from kaspa_node import milestones as m
from kaspa_node.constants import MAX_PUNCH_ATTEMPTS, PEER_PORT, RELAY_PORT
from kaspa_node.evidence import native_proof, path_proof
from kaspa_node.evidence.causes import CAUSES, Cause
from kaspa_node.evidence.correlate import CLOCK_SLACK
from kaspa_node.evidence.kaspad_lines import MILESTONES
from kaspa_node.evidence.proof import DIRECT, PIECES, RELAYED
from kaspa_node.evidence.verdict import RULES

_HEAD = "<!-- Rendered by `python -m kaspa_node.evidence {command}`; a test compares. Don't edit. -->"


def _hint(cause: Cause) -> str:
    return cause.hint.format(relay_port=f"{RELAY_PORT}/tcp", peer_port=f"{PEER_PORT}/tcp")


def verdicts() -> str:
    """The text of docs/verdicts.md."""
    lines = [
        _HEAD.format(command="verdicts-doc"),
        "",
        "# Verdicts",
        "",
        "`verify.yml` collects evidence from the relay and the two peers, and `kaspa_node.evidence` judges it. A log",
        "line alone proves nothing about the path. A direct verdict needs the journals of both peers, the sockets and",
        "byte counts of all three kernels, and the relay's counter of the pair. A missing piece is never filled in.",
        "",
        "If a peer has a native program as its backend (`kaspa_native_programs`), the program's own log has the",
        "handshake. The program knows no path. Its lines belong to the session because they name the local socket that",
        "the peer forwarded, and the kernel says that this socket is the program's. Verify adds nothing to what the",
        "two programs send. So the counted bytes are those of their handshake: only a few, but all of them, at both",
        "ends of each socket of the path.",
        "",
        "## The rule",
        "",
        "The first row that applies decides.",
        "",
        "| # | Rule | Verdict | Path | Exit code | When |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number, rule in enumerate(RULES, start=1):
        lines.append(f"| {number} | {rule.name} | {rule.word} | {rule.path} | {rule.exit_code} | {rule.meaning} |")
    lines += [
        "",
        "Exit code 2 means that there is nothing to judge: no run.json, or a damaged one.",
        "",
        "## The pieces of proof",
        "",
        "Each piece is proven, missing or refuted. The claimed path requires all of its pieces; the column Programs",
        "says for which Kaspa programs at the two ends.",
        "",
        "| Piece | Direct | Relayed | Programs | What it proves | By |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for piece in PIECES:
        marks = " | ".join("yes" if path in piece.paths else "" for path in (DIRECT, RELAYED))
        lines.append(f"| `{piece.key}` | {marks} | {piece.programs} | {piece.proves} | {piece.source} |")
    lines += ["", "## Figures", ""]
    lines += [
        f"- A host's time may differ from the run's by {CLOCK_SLACK:.0f} s, after its clock was corrected.",
        f"- Each ping of the exercise counts as at least {path_proof.PING_BYTES} bytes in each direction. The exercise",
        f"  must move at least {path_proof.SESSION_FLOOR} bytes.",
        f"- During a direct session, a peer and the relay may exchange {path_proof.RELAY_ALLOWANCE} bytes, or a tenth",
        "  of the session's bytes if that is more.",
        f"- What one end sent and the other received may differ by {path_proof.IN_FLIGHT} bytes, or a twentieth;",
        f"  by {path_proof.NATIVE_IN_FLIGHT} bytes if the client's program is native.",
        f"- A native program must send and receive at least {native_proof.HANDSHAKE_BYTES} bytes. The counts at both",
        f"  ends of its socket may differ by {native_proof.LOCAL_IN_FLIGHT}. The direct connection must carry what the",
        "  program sent and received. A peer and the relay may exchange half of that in the same time: a relayed",
        "  session would need all of it.",
        f"- A hole punch has up to {MAX_PUNCH_ATTEMPTS} attempts. The highest number that a source names counts.",
        "",
        "## Causes of a run without a session",
        "",
        "The first cause that applies is named, with the first missing milestone and the last lines before it.",
        "",
        "| # | Cause | Meaning | What to do |",
        "| --- | --- | --- | --- |",
    ]
    for number, cause in enumerate(CAUSES, start=1):
        lines.append(f"| {number} | {cause.name} | {cause.meaning} | {_hint(cause)} |")
    return "\n".join(lines) + "\n"


def milestones() -> str:
    """The text of docs/milestones.md."""
    lines = [
        _HEAD.format(command="milestones-doc"),
        "",
        "# Milestones",
        "",
        "Every event that verification reads, with its name in `milestone=`. A log line has a time, a level, the",
        "sentence below, and the fields in logfmt. A field without a value is left out.",
        "",
        "| Milestone | Written by | Level | Sentence | Fields |",
        "| --- | --- | --- | --- | --- |",
    ]
    for milestone in m.ALL:
        level = {logging.WARNING: "WARN"}.get(milestone.level, logging.getLevelName(milestone.level))
        sentence = milestone.sentence.replace("{{", "{").replace("}}", "}")
        fields = ", ".join(f"`{name}`" for name in milestone.fields)
        lines.append(f"| `{milestone.name}` | {', '.join(milestone.roles)} | {level} | `{sentence}` | {fields} |")
    theirs = ", ".join(f"`{milestone}`" for milestone in MILESTONES)
    lines += [
        "",
        "## In the logs of native programs",
        "",
        "kaspad and the two programs of the first proof of concept don't write `milestone=`. Some of these events are",
        f"in their logs too. They are recognized by kaspad's own sentences: {theirs}.",
        "These lines have no fields. The address in a sentence is that of a local socket, and `caller` in the journal",
        "of the peer beside the program is the same address.",
    ]
    return "\n".join(lines) + "\n"
