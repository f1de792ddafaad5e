"""Renders each role's README.md from its argument specs: `python3 ansible/role_readmes.py` writes them all."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"


def render(role: Path) -> str:
    """The text of a role's README.md."""
    entries = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    main = entries["main"]
    lines = [f"# {role.name}", "", f"{main['short_description']}.", ""]
    lines += [_plain(text) for text in _texts(main.get("description", []))]
    lines += ["", "| variable | kind | default | meaning |", "|---|---|---|---|"]
    shown = {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}
    lines += [_row(name, option) for name, option in shown.items()]
    others = {name: entry for name, entry in entries.items() if name != "main"}
    if others:
        lines += ["", "| entry point (`tasks_from`) | what it does |", "|---|---|"]
        lines += [f"| `{name}` | {_plain(entry['short_description'])} |" for name, entry in others.items()]
    return "\n".join([*lines, "", "Rendered from `meta/argument_specs.yml`."]) + "\n"


def _row(name: str, option: dict[str, Any]) -> str:
    kind = f"list of {option['elements']}" if option["type"] == "list" else option["type"]
    default = "required" if option.get("required") else f"`{_default(option['default'])}`"
    choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
    return f"| `{name}` | {kind} | {default} | {_plain(option['description'])}{choices} |".replace("`` |", "empty |")


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_default(item) for item in value)}]"
    return _constant(str(value)).replace("|", "\\|")


def _constant(text: str) -> str:
    """The value of a default such as `{{ _kaspa_node_ports.relay }}`.

    Readers of a table look for the number, not for its name.
    """
    found = re.fullmatch(r"\{\{ (_kaspa_\w+)\.(\w+) \}\}", text)
    return str(_variables()[found[1]][found[2]]) if found else text


@cache
def _variables() -> dict[str, Any]:
    """The private variables of the role that all others depend on."""
    return yaml.safe_load((ROLES / "kaspa_node" / "vars" / "main.yml").read_text(encoding="utf-8"))


def _texts(description: str | list[str]) -> list[str]:
    return [description] if isinstance(description, str) else description


def _plain(text: str) -> str:
    """Ansible's markup `C(x)` as Markdown's."""
    out, rest = "", text
    while "C(" in rest:
        before, _, rest = rest.partition("C(")
        inner, _, rest = rest.partition(")")
        out += f"{before}`{inner}`"
    return out + rest


def main() -> None:
    """Write them all."""
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        (role / "README.md").write_text(render(role), encoding="utf-8")


if __name__ == "__main__":
    main()
