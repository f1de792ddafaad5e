"""Jump hosts and proxy commands."""

from __future__ import annotations

from tests.ssh.row import REFUSED, Row

INNER = "ansible_host=127.0.2.1"
DEEP = "ansible_host=127.0.2.1 ansible_port=2222"
COMMAND = "ssh -W %h:%p root@10.9.0.2"

ROWS = (
    Row("not-without-a-jump", REFUSED, vars=INNER),
    Row("jump", "inner root", vars=INNER, config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n"),
    Row("jump-to-another-port", "deep root", vars=DEEP, config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n"),
    Row(
        "jump-with-user-and-port",
        "inner anna",
        vars=f"{INNER} ansible_user=anna",
        config="Host 127.0.2.1\n  ProxyJump carl@10.9.0.2:2222\n",
    ),
    Row("jump-as-address", "inner root", vars=INNER, config="Host 127.0.2.1\n  ProxyJump ssh://root@10.9.0.2:2222\n"),
    Row(
        "jump-by-alias",
        "inner root",
        vars=INNER,
        config="Host bastion\n  HostName 10.9.0.2\n  Port 2222\n  User carl\nHost 127.0.2.1\n  ProxyJump bastion\n",
    ),
    Row(
        "jump-key-of-its-own",
        "inner root",
        vars=INNER,
        keys="id_ed25519=stranger1",
        config="Host 10.9.0.2\n  User anna\n  IdentityFile ~/keys/annas\n"
        "Host 127.0.2.1\n  ProxyJump 10.9.0.2\n  IdentityFile ~/keys/main\n",
    ),
    Row("two-jumps", "inner root", vars=INNER, config="Host 127.0.2.1\n  ProxyJump 10.9.0.2,10.9.0.2:2222\n"),
    Row(
        "jump-behind-a-jump",
        "inner root",
        vars=INNER,
        config="Host 10.9.0.2\n  Port 22\nHost hop\n  HostName 127.0.2.1\n  Port 2222\n  ProxyJump 10.9.0.2\n"
        "Host 127.0.2.1\n  ProxyJump hop\n",
    ),
    Row("jump-in-args", "inner root", vars=f"{INNER} ansible_ssh_common_args='-J 10.9.0.2'"),
    Row("jump-in-args-joined", "inner root", vars=f"{INNER} ansible_ssh_common_args='-Jroot@10.9.0.2:22'"),
    Row("jump-as-option", "inner root", vars=f"{INNER} ansible_ssh_common_args='-o ProxyJump=10.9.0.2'"),
    Row("jump-none-for-all", "alpha root", config="Host *\n  ProxyJump none\n"),
    Row(
        "jump-none-before-jump",
        "alpha root",
        config="Host 127.0.1.1\n  ProxyJump none\nHost *\n  ProxyJump nobody.invalid\n",
    ),
    Row(
        "jump-for-all-but-itself",
        "inner root",
        vars=INNER,
        config="Host 10.9.0.2\n  ProxyJump none\nHost *\n  ProxyJump 10.9.0.2\n",
    ),
    Row("jump-that-does-not-exist", REFUSED, vars=INNER, config="Host *\n  ProxyJump nobody.invalid\n"),
    Row(
        "jump-with-unknown-key",
        REFUSED,
        vars=INNER,
        config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n",
        known="127.0.2.1 <inner>\n",
    ),
    Row(
        "jump-and-unknown-key",
        REFUSED,
        vars=INNER,
        config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n",
        known="10.9.0.2 <jump>\n",
    ),
    Row(
        "jump-before-command",
        "inner root",
        vars=INNER,
        config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n  ProxyCommand false\n",
    ),
    Row("command", "inner root", vars=INNER, config=f"Host 127.0.2.1\n  ProxyCommand {COMMAND}\n"),
    Row(
        "command-port-of-config",
        "deep root",
        vars=INNER,
        config=f"Host 127.0.2.1\n  Port 2222\n  ProxyCommand {COMMAND}\n",
    ),
    Row(
        "command-name-of-config",
        "deep root",
        vars="ansible_host=vps",
        config=f"Host vps\n  HostName 127.0.2.1\n  Port 2222\n  ProxyCommand {COMMAND}\n",
    ),
    Row(
        "command-user",
        "inner anna",
        vars=f"{INNER} ansible_user=anna",
        config="Host 127.0.2.1\n  ProxyCommand ssh -W %h:%p %r@10.9.0.2\n",
    ),
    Row(
        "command-original-name",
        "inner root",
        vars="ansible_host=127.0.2.1",
        config="Host 127.0.2.1\n  ProxyCommand sh -c 'test %n%% = 127.0.2.1%% && exec ssh -W %n:%p 10.9.0.2'\n",
    ),
    Row("command-none", "alpha root", config="Host 127.0.1.1\n  ProxyCommand none\nHost *\n  ProxyCommand false\n"),
    Row("command-that-fails", REFUSED, config="Host *\n  ProxyCommand sh -c 'exit 3'\n"),
    Row("command-in-args", "inner root", yaml=f'ansible_ssh_common_args: -o ProxyCommand="{COMMAND}"\n', vars=INNER),
    Row(
        "command-in-args-with-quotes",
        "inner root",
        vars=INNER,
        yaml="ansible_ssh_common_args: \"-o 'ProxyCommand=ssh -q -W [%h]:%p carl@10.9.0.2'\"\n",
    ),
    Row(
        "command-elsewhere",
        "beta root",
        config="Host 127.0.1.1\n  ProxyCommand ssh -W 127.0.1.2:22 ::1\n",
        known="127.0.1.1 <beta>\n::1 <six>\n",
    ),
)
