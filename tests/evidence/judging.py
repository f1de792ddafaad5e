"""Judges many versions of one run quickly: only files that changed are written again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kaspa_node.evidence.bundle import BundleError, load
from kaspa_node.evidence.correlate import LABELS, Case
from kaspa_node.evidence.report import examine
from tests.unit.evidence.builder import HOSTS, Evidence

PASSING = ("PASS", "PASS-FLAKY")
UNUSABLE = "unusable"


class Workbench:
    """A directory with the evidence that is looked at."""

    def __init__(self, directory: Path) -> None:
        self._raw = directory / "raw"
        self._written: dict[str, bytes | None] = {}
        for host in HOSTS:
            (self._raw / host).mkdir(parents=True)

    def judge(self, evidence: Evidence, expect: str | None = None) -> dict[str, Any]:
        """The report before redaction. Raises BundleError."""
        for name, data in self._files(evidence).items():
            if name in self._written and self._written[name] == data:
                continue
            self._written[name] = data
            if data is None:
                (self._raw / name).unlink(missing_ok=True)
            else:
                (self._raw / name).write_bytes(data)
        return examine(Case(load(self._raw)), expect)[1]

    def verdict(self, evidence: Evidence) -> str:
        """The verdict's word, or that the evidence is unusable."""
        try:
            return str(self.judge(evidence)["verdict"])
        except BundleError:
            return UNUSABLE

    @staticmethod
    def _files(evidence: Evidence) -> dict[str, bytes | None]:
        files: dict[str, bytes | None] = {"run.json": json.dumps(evidence.run).encode()}
        for host in HOSTS:
            for name, logs in (("journal", evidence.journals), ("native", evidence.native)):
                lines = logs.get(host)
                text = None if lines is None else "".join(f"{line}\n" for line in lines)
                files[f"{host}/{name}.log"] = None if text is None else text.encode("utf-8", "surrogateescape")
            for label in LABELS:
                snapshot = evidence.snapshots.get((host, label))
                files[f"{host}/snapshot-{label}.json"] = None if snapshot is None else json.dumps(snapshot).encode()
        return files | evidence.files
