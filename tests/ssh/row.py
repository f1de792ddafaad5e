"""One configuration of ssh: the files and variables of a user, and where both programs must end with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REFUSED = "refused"
KNOWN = "<known>\n"


@dataclass(frozen=True)
class Row:
    """name: also the host's name in the inventory. ends: `server login-user [user-of-the-command]`, or REFUSED.

    vars: the host's variables on its line of an INI file. sections: further sections of that file. yaml: its file in
    host_vars. config: ~/.ssh/config. known: ~/.ssh/known_hosts. files: further files, by their path in the home.
    keys: `file=key` for private keys in ~/.ssh (see `keys.KEYS`). agent: the agent that SSH_AUTH_SOCK names.
    system: /etc/ssh/ssh_config. environ: further variables of the environment. mode: of the private keys.
    port: after a colon behind the host's name in the INI file.

    unlike: a regular expression of the one line that fab prints, if it can't follow ssh there.
    since: the first OpenSSH that has the feature; an older one refuses the configuration.

    In files, `<NAME>` is a public key: a server's, a key's, or `ca`; `<known>` are the lines of all servers.
    """

    name: str
    ends: str
    vars: str = "ansible_host=127.0.1.1"
    sections: str = ""
    yaml: str = ""
    config: str = ""
    known: str = KNOWN
    hashed: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    keys: str = "id_ed25519=main"
    mode: int = 0o600
    agent: str = ""
    system: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    port: str = ""
    unlike: str = ""
    since: str = ""
