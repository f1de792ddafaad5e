"""docs/firewall.md quotes messages; here they are compared with the code that prints them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "firewall.md").read_text()
ROLE = ROOT / "roles" / "kaspa_firewall"
PLUGINS = ROOT / "ansible" / "plugins"
SOURCES = [
    *PLUGINS.glob("module_utils/kaspa_firewall_*.py"),
    *PLUGINS.glob("modules/kaspa_firewall*.py"),
    PLUGINS / "module_utils" / "kaspa_rulesets.py",
    PLUGINS / "module_utils" / "kaspa_ufw_host.py",
    PLUGINS / "modules" / "kaspa_reach.py",
    PLUGINS / "action" / "kaspa_new_connection.py",
]
# A text that goes on in the next line, or in the next part of an expression, is one text.
CODE = re.sub(r'"\s*\n?\s*\+?\s*f?"', "", "\n".join(path.read_text() for path in SOURCES)).replace("{{", "{")
MESSAGES = re.findall(r"^\| `([^`]+)` \| .*\| .*\|$", PAGE.partition("## Messages")[2], re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_page_quotes_messages_as_they_are_printed(message: str) -> None:
    assert [part for part in map(str.strip, message.split("…")) if part not in CODE] == []


def test_the_page_has_the_roles_variables() -> None:
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(re.findall(r"^\| `(kaspa_firewall_\w+)` \|", PAGE, re.MULTILINE)) == set(options)
    assert len(MESSAGES) > 20
