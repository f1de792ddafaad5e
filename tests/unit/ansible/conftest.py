"""Makes the plugins importable: their helpers as a part of the collection, themselves by their own names."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "ansible" / "plugins"

sys.path += [str(ROOT / "collections"), str(ROOT / "ansible")]
sys.path += [str(PLUGINS / kind) for kind in ("modules", "action", "callback", "filter")]
