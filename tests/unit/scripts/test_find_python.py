from __future__ import annotations

import subprocess
import sys

from commands import ROOT

FIND = ROOT / "scripts" / "find-python"


def found(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FIND], env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )


def test_the_one_that_is_named_is_taken() -> None:
    assert found(PYTHON=sys.executable).stdout.strip() == sys.executable


def test_one_that_does_not_run_is_refused() -> None:
    refused = found(PYTHON="/bin/false")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "PYTHON=/bin/false is no Python 3.11 or newer\n"


def test_what_is_found_runs_and_is_new_enough() -> None:
    python = found(PATH=f"{sys.prefix}/bin:/usr/bin:/bin").stdout.strip()
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, text=True
    )
    assert version.stdout.strip() == "True"
