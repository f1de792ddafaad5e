"""The other release that the tests of upgrades make of this checkout can still be made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.releases import NEW_SETTING, PEER, SETTINGS, next_release


def test_another_release_can_be_made_of_this_checkout(tmp_path: Path) -> None:
    place = next_release(tmp_path / "next", "9.8.7", broken_peer=True)
    words = "import json; from kaspa_node import __version__; from kaspa_node.settings.model import Settings; "
    words += "print(json.dumps([__version__, list(Settings.__dataclass_fields__)]))"
    done = subprocess.run([sys.executable, "-c", words], cwd=place, capture_output=True, text=True, check=True)
    version, names = json.loads(done.stdout)
    assert version == "9.8.7"
    assert NEW_SETTING in names
    assert f"{NEW_SETTING}: true" in (place / SETTINGS).read_text()
    compile((place / PEER).read_text(), PEER, "exec")
