"""Makes the plugins importable the way Ansible finds them: by the directories that ansible.cfg names."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible.module_utils

PLUGINS = Path(__file__).resolve().parents[3] / "ansible" / "plugins"

ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))
sys.path += [str(PLUGINS.parent), *(str(PLUGINS / kind) for kind in ("modules", "action", "callback", "filter"))]
