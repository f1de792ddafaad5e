"""Keys of the user, agents, certificates and passwords."""

from __future__ import annotations

from tests.ssh.row import REFUSED, Row

ALPHA = "ansible_host=127.0.1.1"
KEY = "ansible_ssh_private_key_file"
TRIES = "ansible_host=127.0.1.5"
PASSWORD = "ansible_host=127.0.1.9"

ROWS = (
    Row("no-key", REFUSED, keys=""),
    Row("key-of-a-stranger", REFUSED, keys="id_ed25519=stranger1"),
    Row("default-rsa", "alpha root", keys="id_rsa=rsa"),
    Row("default-ecdsa", "alpha root", keys="id_ecdsa=ecdsa"),
    Row("key-file", "alpha anna", keys="", vars=f"{ALPHA} ansible_user=anna {KEY}=~/keys/annas"),
    Row(
        "key-file-with-space", "alpha root", keys="", yaml=f"{KEY}: ~/.ssh/my key\n", files={"my key": "<private.main>"}
    ),
    Row("key-file-old-name", "alpha root", keys="", vars=f"{ALPHA} ansible_private_key_file=~/keys/main"),
    Row("key-file-missing", REFUSED, vars=f"{ALPHA} {KEY}=~/keys/missing"),
    Row("key-file-missing-but-agent", "alpha root", vars=f"{ALPHA} {KEY}=~/keys/missing", agent="main"),
    Row("key-file-not-of-use-but-agent", "alpha root", vars=f"{ALPHA} {KEY}=~/keys/stranger1", agent="main"),
    Row("key-file-in-pkcs8", "alpha root", keys="", vars=f"{ALPHA} {KEY}=~/keys/pkcs8"),
    Row("key-file-in-pem", "alpha root", keys="", vars=f"{ALPHA} {KEY}=~/keys/pem"),
    Row("key-file-open-to-others", REFUSED, mode=0o644),
    Row("key-file-with-passphrase", REFUSED, keys="", vars=f"{ALPHA} {KEY}=~/keys/locked"),
    Row(
        "key-file-with-passphrase-in-agent", "alpha root", keys="", vars=f"{ALPHA} {KEY}=~/keys/locked", agent="locked"
    ),
    Row("identity-of-config", "alpha anna", keys="", config="Host *\n  User anna\n  IdentityFile ~/keys/annas\n"),
    Row(
        "identities-of-config",
        "alpha root",
        keys="",
        config="IdentityFile ~/keys/missing\nIdentityFile ~/keys/stranger1\nIdentityFile ~/keys/main\n",
    ),
    Row(
        "identity-by-tokens",
        "alpha anna",
        keys="",
        files={"key-anna-127.0.1.1": "<private.annas>"},
        config="User anna\nIdentityFile %d/.ssh/key-%r-%h\n",
    ),
    Row("identity-of-config-not-the-default", REFUSED, config="IdentityFile ~/keys/stranger1\n"),
    Row(
        "identity-in-addition",
        "alpha root",
        vars=f"{ALPHA} {KEY}=~/keys/stranger1",
        config="IdentityFile ~/keys/main\n",
    ),
    # agents
    Row("agent", "alpha root", keys="", agent="main"),
    Row("agent-that-is-gone", "alpha root", environ={"SSH_AUTH_SOCK": "/nowhere/agent"}),
    Row("agent-of-a-stranger", "alpha root", agent="stranger"),
    Row("agent-of-config", "alpha root", keys="", config="IdentityAgent /mnt/agents/main\n"),
    Row("agent-of-config-first", REFUSED, keys="", agent="main", config="IdentityAgent /mnt/agents/stranger\n"),
    Row("agent-none", REFUSED, keys="", agent="main", config="IdentityAgent none\n"),
    Row("agent-of-the-environment", "alpha root", keys="", agent="main", config="IdentityAgent SSH_AUTH_SOCK\n"),
    Row(
        "agent-of-another-variable",
        "alpha root",
        keys="",
        environ={"AGENT": "/mnt/agents/main"},
        config="IdentityAgent $AGENT\n",
    ),
    Row("agent-with-too-many-keys", REFUSED, vars=TRIES, keys="", agent="many"),
    Row("identities-only", "tries root", vars=TRIES, agent="many", config="IdentitiesOnly yes\n"),
    Row("identities-only-no-files", REFUSED, keys="", agent="main", config="IdentitiesOnly yes\n"),
    Row(
        "identities-only-by-public-key",
        "tries root",
        vars=TRIES,
        keys="",
        agent="many",
        config="IdentitiesOnly yes\nIdentityFile ~/.ssh/agents.pub\n",
        files={"agents.pub": "<main>\n"},
    ),
    Row(
        "identities-only-by-args",
        "tries root",
        keys="",
        agent="many",
        files={"agents.pub": "<main>\n"},
        vars=f"{TRIES} {KEY}=~/.ssh/agents.pub ansible_ssh_common_args='-o IdentitiesOnly=yes'",
    ),
    Row("key-first-of-many", "tries root", vars=f"{TRIES} {KEY}=~/keys/main", keys="", agent="many"),
    Row("identity-none", "alpha root", agent="main", config="IdentityFile none\n"),
    Row("identity-none-no-agent", REFUSED, config="IdentityFile none\n"),
    # certificates
    Row("certificate-beside-the-key", "alpha anna", keys="", vars=f"{ALPHA} ansible_user=anna {KEY}=~/keys/certified"),
    Row("certificate-for-another-user", REFUSED, keys="", vars=f"{ALPHA} {KEY}=~/keys/certified"),
    Row(
        "certificate-of-config",
        "alpha anna",
        keys="mine=certified",
        config="User anna\nIdentityFile ~/.ssh/mine\nCertificateFile ~/keys/certified-cert.pub\n",
    ),
    Row(
        "certificate-of-args",
        "alpha anna",
        keys="mine=certified",
        vars=f"{ALPHA} ansible_user=anna {KEY}=~/.ssh/mine "
        "ansible_ssh_common_args='-o CertificateFile=~/keys/certified-cert.pub'",
    ),
    Row("certificate-that-ended", REFUSED, keys="", vars=f"{ALPHA} ansible_user=anna {KEY}=~/keys/expired"),
    # how to log in
    Row("no-public-keys", REFUSED, config="PubkeyAuthentication no\n"),
    Row("passwords-preferred", "alpha root", config="PreferredAuthentications password\n"),
    Row("key-algorithms", REFUSED, config="PubkeyAcceptedAlgorithms rsa-sha2-512\n"),
    Row("password", "password root", keys="", vars=f"{PASSWORD} ansible_password=secret"),
    Row("password-old-name", "password anna", vars=f"{PASSWORD} ansible_user=anna ansible_ssh_pass=secret"),
    Row("password-wrong", REFUSED, vars=f"{PASSWORD} ansible_password=guess"),
    Row("password-in-a-vault", "password root", vars=PASSWORD, yaml="ansible_password: <vaulted secret>\n"),
    Row(
        "password-from-a-file",
        "password root",
        vars=PASSWORD,
        files={"pass": "secret\n"},
        yaml="ansible_password: \"{{ lookup('file', '/mnt/rows/password-from-a-file/ssh/pass') }}\"\n",
    ),
    Row("password-not-needed", "alpha root", vars=f"{ALPHA} ansible_password=guess"),
    Row("password-missing", REFUSED, vars=PASSWORD),
)
