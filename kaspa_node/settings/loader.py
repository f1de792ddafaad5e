"""From a TOML file and the environment to checked values.

Precedence: KASPA_NODE_* variables, the LIBP2P_* variables of the first proof of concept, the file, the
defaults. An empty variable counts as not set. Every bad value becomes one ConfigError with the setting and its origin.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaspa_node.errors import ConfigError
from kaspa_node.milestones import PEER
from kaspa_node.settings import addresses, kinds, seed
from kaspa_node.settings.addresses import BadValue
from kaspa_node.settings.local import EXPECT_LOCAL, EXPECT_LOOPBACK
from kaspa_node.settings.model import (
    DEFAULT_LISTEN,
    EMBEDDED,
    ENV_PREFIX,
    EXTERNAL,
    ROLES,
    Definition,
    Settings,
    definitions,
)
from kaspa_node.settings.values import AllowList, RelayAddress, Remote


@dataclass(frozen=True, slots=True)
class Given:
    """A value as TOML would hold it, and the variable or file that gave it."""

    value: object
    origin: str


def load_settings(role: str, config_path: str | Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a program (`relay` or `peer`) from a TOML file, if any, and the environment.

    KASPA_NODE_* variables override LIBP2P_*, these override the file, and the file overrides the defaults.
    Raises ConfigError.
    """
    return Settings(role=role, **_load_values(role, config_path, environ))


def _load_values(role: str, config_path: str | Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of all settings of a role that are not at their default, by key; raises ConfigError."""
    if role not in ROLES:
        raise ValueError(f"role {role!r} is none of {', '.join(ROLES)}")
    known = {definition.key: definition for definition in definitions() if role in definition.roles}
    given = _from_file(role, known, config_path)
    given |= {key: Given(value, origin) for key, (value, origin) in seed.read(role, environ).items()}
    given |= _from_environment(role, known, environ)
    values = {key: _checked(known[key], entry) for key, entry in given.items()}
    values.setdefault("listen", (addresses.parse_listen(DEFAULT_LISTEN[role]),))
    if role == PEER and "remotes" in values:
        values["remotes"] = _routed(values["remotes"], values.get("relays", ()), given["remotes"].origin)
    if role == PEER:
        _check_backend(values, given)
        _check_versions(values, given)
    return values


def load_state_dir(config_path: str | Path | None, environ: Mapping[str, str]) -> Path:
    """`state_dir` alone, from the configuration of either role; raises ConfigError."""
    definition = next(definition for definition in definitions() if definition.key == "state_dir")
    table = {} if config_path is None else read_toml(config_path)
    given = {key: Given(value, str(config_path)) for key, value in table.items() if key == definition.key}
    if text := environ.get(definition.variable, ""):
        given[definition.key] = Given(text, definition.variable)
    default: Path = definition.default
    return _checked(definition, given[definition.key]) if given else default


def read_toml(path: str | Path) -> dict[str, object]:
    """The tables of a file; raises ConfigError if it can't be read or is not TOML."""
    try:
        return tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        reason = f"can't be read: {(error.strerror or str(error)).lower()}"
        raise ConfigError("--config", str(path), "the command line", reason, "a readable TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError("--config", str(path), "the command line", "is not UTF-8", "a TOML file") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = f"is not TOML: {str(error)[:1].lower()}{str(error)[1:]}"
        raise ConfigError("--config", str(path), "the command line", problem, "a TOML file") from error


def _from_file(role: str, known: Mapping[str, Definition], path: str | Path | None) -> dict[str, Given]:
    if path is None:
        return {}
    table = read_toml(path)
    for key, value in table.items():
        if key not in known:
            raise _unknown(role, key, None if isinstance(value, dict) else value, str(path), known)
    return {key: Given(value, str(path)) for key, value in table.items()}


def _from_environment(role: str, known: Mapping[str, Definition], environ: Mapping[str, str]) -> dict[str, Given]:
    by_variable = {definition.variable: definition for definition in known.values()}
    found: dict[str, Given] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or not text.strip():
            continue
        definition = by_variable.get(variable)
        if definition is None:
            raise _unknown(role, variable, text, "the environment", by_variable)
        found[definition.key] = Given(definition.kind.from_text(text.strip()), variable)
    return found


def _unknown(role: str, key: str, value: object, origin: str, known: Iterable[str]) -> ConfigError:
    others = {name for d in definitions() if role not in d.roles for name in (d.key, d.variable)}
    if key in others:
        return ConfigError(
            key, value, origin, f"is not a setting of a {role}", "it in the other program's configuration"
        )
    close = difflib.get_close_matches(key, known, n=1)
    names = f"such as {close[0]} (did you mean that?)" if close else ", ".join(sorted(known))
    expected = f"a setting of a {role}: {names}"
    return ConfigError(key, value, origin, "is not a setting", expected)


def _checked(definition: Definition, given: Given) -> Any:
    try:
        return definition.kind.check(given.value)
    except BadValue as error:
        raise ConfigError(definition.key, error.value, given.origin, error.problem, error.expected) from error


def _routed(remotes: tuple[Remote, ...], relays: tuple[RelayAddress, ...], origin: str) -> tuple[Remote, ...]:
    """Remotes; those without addresses get the configured relays as addresses."""
    routed = []
    for remote in remotes:
        try:
            via = remote.addrs or kinds.via_relays(remote.peer_id, [relay.addr for relay in relays])
        except BadValue as error:
            raise ConfigError("remotes", error.value, origin, error.problem, error.expected) from error
        if not via:
            problem = "has no address to be dialed at"
            raise ConfigError("remotes", remote.name, origin, problem, "its addrs, or at least one entry in `relays`")
        routed.append(dataclasses.replace(remote, addrs=via))
    return tuple(routed)


def _check_backend(values: Mapping[str, Any], given: Mapping[str, Given]) -> None:
    """Check that an external backend can be reached in both directions, and that no setting is without effect."""
    external = values.get("backend", EMBEDDED) == EXTERNAL
    address, remotes = values.get("backend_address"), values.get("remotes", ())
    for remote in remotes:
        if external and remote.listen is None:
            problem = "has no `listen`: no program here could reach it through an external backend"
            raise ConfigError("remotes", remote.name, given["remotes"].origin, problem, EXPECT_LOOPBACK)
        if not external and remote.listen is not None:
            problem = f"has `listen`, which the {EMBEDDED} backend has no use for"
            raise ConfigError("remotes", remote.name, given["remotes"].origin, problem, f'backend = "{EXTERNAL}"')
    if not external and address is not None:
        problem = f"has no effect with the {EMBEDDED} backend"
        raise ConfigError(
            "backend_address", str(address), given["backend_address"].origin, problem, f'backend = "{EXTERNAL}"'
        )
    if external and address is None and values.get("allow", AllowList()) != AllowList():
        problem = "is not set, though `allow` lets peers in and the backend is external"
        raise ConfigError("backend_address", None, given["backend"].origin, problem, EXPECT_LOCAL)
    for remote in remotes:
        if address is not None and remote.listen == address:
            problem = "is the backend's own address: it would be connected to itself"
            raise ConfigError("remotes", str(address), given["remotes"].origin, problem, "an address of its own")


def _check_versions(values: Mapping[str, Any], given: Mapping[str, Given]) -> None:
    """Check that this peer would not reject another peer with the same settings."""
    defaults = {definition.key: definition.default for definition in definitions()}
    keys = ("minimum_protocol_version", "protocol_version")
    least, advertised = (values.get(key, defaults[key]) for key in keys)
    if least > advertised:
        key = next(key for key in keys if key in given)
        problem = "puts the minimum above what this peer itself advertises"
        expected = f"minimum_protocol_version ({least}) to be at most protocol_version ({advertised})"
        raise ConfigError(key, values[key], given[key].origin, problem, expected)
