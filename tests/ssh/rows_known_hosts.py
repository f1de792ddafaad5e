"""known_hosts, host keys, and revoked ones."""

from __future__ import annotations

from tests.ssh.row import KNOWN, REFUSED, Row

ALPHA = "127.0.1.1 <alpha>\n"
GAMMA = "[127.0.1.1]:2222 <gamma>\n"
MANY = "ansible_host=127.0.1.6"
PORT = "ansible_host=127.0.1.1 ansible_port=2222"

ROWS = (
    Row("unknown-host", REFUSED, known="127.0.1.2 <beta>\n"),
    Row("no-known-hosts", REFUSED, known=""),
    Row("other-key", REFUSED, known="127.0.1.1 <beta>\n"),
    Row("both-keys", "alpha root", known=f"127.0.1.1 <beta>\n{ALPHA}"),
    Row("hashed", "alpha root", hashed=True),
    Row("hashed-with-port", "gamma root", hashed=True, vars=PORT),
    Row("pattern-of-names", "alpha root", known="127.0.1.* <alpha>\n"),
    Row("pattern-with-port", "gamma root", known="[127.0.*]:2222 <gamma>\n", vars=PORT),
    Row("pattern-that-excludes", REFUSED, known="!127.0.1.1,127.0.1.* <alpha>\n"),
    Row("several-names", "alpha root", known="vps,127.0.1.1 <alpha> a comment\n"),
    Row("known-without-port", "gamma root", known="127.0.1.1 <gamma>\n", vars=PORT),
    Row("known-with-port-22", REFUSED, known="[127.0.1.1]:22 <alpha>\n"),
    Row("known-hosts2", "alpha root", known="", files={"known_hosts2": ALPHA}),
    Row("another-file", "alpha root", known="", config="UserKnownHostsFile ~/.ssh/others\n", files={"others": ALPHA}),
    Row("two-files", "alpha root", known="", files={"b": ALPHA}, config="UserKnownHostsFile ~/.ssh/missing ~/.ssh/b\n"),
    Row(
        "file-by-token",
        "alpha root",
        known="",
        config="UserKnownHostsFile %d/.ssh/known.%h\n",
        files={"known.127.0.1.1": ALPHA},
    ),
    Row(
        "file-by-environment",
        "alpha root",
        known="",
        config="UserKnownHostsFile ${PLACE}/others\n",
        files={"others": ALPHA},
        environ={"PLACE": "/mnt/home/.ssh"},
    ),
    Row("no-file", REFUSED, config="UserKnownHostsFile none\n"),
    Row("global-file", "alpha root", known="", config="GlobalKnownHostsFile ~/.ssh/others\n", files={"others": ALPHA}),
    Row(
        "known-hosts-command",
        "alpha root",
        known="",
        config="KnownHostsCommand /bin/cat /mnt/home/.ssh/others\n",
        files={"others": ALPHA},
        unlike="host key",
    ),
    Row("alias-of-the-key", "alpha root", known="vps <alpha>\n", config="Host *\n  HostKeyAlias vps\n"),
    Row("alias-of-the-key-and-port", "gamma root", known="vps <gamma>\n", config="HostKeyAlias vps\n", vars=PORT),
    Row("alias-of-the-key-unknown", REFUSED, config="Host *\n  HostKeyAlias vps\n"),
    Row(
        "only-the-alias-is-known",
        REFUSED,
        vars="ansible_host=vps",
        known="vps <alpha>\n",
        config="Host vps\n  HostName 127.0.1.1\n",
    ),
    # lines that are no plain keys
    Row("comments-and-blank-lines", "alpha root", known=f"# mine\n\n   \n{ALPHA}"),
    Row("a-cut-line", "alpha root", known=f"127.0.1.2 ssh-ed25519 AAAAC3Nza\n{ALPHA}"),
    Row("a-cut-line-of-the-host", "alpha root", known=f"127.0.1.1 ssh-ed25519 AAAAC3Nza\n{ALPHA}"),
    Row("a-line-without-a-key", "alpha root", known=f"127.0.1.2\n{ALPHA}"),
    Row("a-line-of-another-kind", "alpha root", known=f"127.0.1.1 ssh-moon AAAAC3NzaC1lZDI1NTE5\n{ALPHA}"),
    Row("known-with-line-ends-of-windows", "alpha root", known="127.0.1.1 <alpha>\r\n"),
    Row("letters-of-another-code", "alpha root", known=f"# f\u00fcr sp\u00e4ter\n{ALPHA}"),
    Row("authority-for-others", "alpha root", known=f"@cert-authority *.example.org <ca>\n{ALPHA}"),
    Row("authority-for-all", "alpha root", known=f"@cert-authority * <ca>\n{ALPHA}"),
    Row("revoked-other", "alpha root", known=f"@revoked * <beta>\n{ALPHA}"),
    Row("revoked", REFUSED, known=f"{ALPHA}@revoked * <alpha>\n"),
    Row("revoked-by-address", REFUSED, known=f"@revoked 127.0.1.1 <alpha>\n{ALPHA}"),
    Row("revoked-elsewhere", "alpha root", known=f"@revoked 127.0.1.2 <alpha>\n{ALPHA}"),
    Row("revoked-list", REFUSED, config="RevokedHostKeys /mnt/home/.ssh/revoked\n", files={"revoked": "<alpha>\n"}),
    Row(
        "revoked-list-of-others",
        "alpha root",
        config="RevokedHostKeys /mnt/home/.ssh/revoked\n",
        files={"revoked": "<beta>\n"},
    ),
    Row(
        "revoked-list-in-binary",
        REFUSED,
        config="RevokedHostKeys /mnt/home/.ssh/alpha.krl\n",
        files={"alpha.krl": "made by ssh-keygen"},
    ),
    Row("revoked-list-that-is-missing", REFUSED, config="RevokedHostKeys /mnt/home/.ssh/missing\n"),
    # kinds of keys
    Row("only-rsa-is-known", "many root", vars=MANY, known="127.0.1.6 <many.rsa>\n"),
    Row("only-ecdsa-is-known", "many root", vars=MANY, known="127.0.1.6 <many.ecdsa>\n"),
    Row("another-kind-is-wrong", REFUSED, vars=MANY, known="127.0.1.6 <beta>\n127.0.1.6 <many.rsa>\n"),
    Row(
        "kinds-by-configuration",
        REFUSED,
        vars=MANY,
        known="127.0.1.6 <many.rsa>\n",
        config="HostKeyAlgorithms ssh-ed25519\n",
    ),
    Row("kinds-without-ed25519", "many root", vars=MANY, config="HostKeyAlgorithms -ssh-ed25519\n"),
    # what ssh itself would accept unseen
    Row("accept-new", "alpha root", known="", config="StrictHostKeyChecking accept-new\n", unlike="host key"),
    Row("not-strict", "alpha root", known="", config="StrictHostKeyChecking no\n", unlike="host key"),
    Row(
        "not-strict-in-the-inventory",
        "alpha root",
        known="",
        vars="ansible_host=127.0.1.1 ansible_host_key_checking=false",
        unlike="host key",
    ),
    Row(
        "certified-host",
        "certified root",
        vars="ansible_host=127.0.1.7",
        known="@cert-authority 127.0.1.* <ca>\n",
        unlike="certificate authority",
    ),
    Row("only-sntrup", "sntrup root", vars="ansible_host=127.0.1.8", unlike="no algorithm in common"),
    Row(
        "standing-master",
        "alpha root",
        keys="",
        known=KNOWN,
        config="ControlPath /mnt/master\n",
        unlike="ControlPath",
    ),
)
