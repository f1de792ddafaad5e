"""Variables of the inventory, and Ansible's arguments for ssh."""

from __future__ import annotations

from tests.ssh.row import REFUSED, Row

ALPHA = "ansible_host=127.0.1.1"

ROWS = (
    Row("address", "alpha root"),
    Row("port", "gamma root", vars=f"{ALPHA} ansible_port=2222"),
    Row("port-behind-the-name", "gamma root", port=":2222"),
    Row("old-names", "gamma anna", vars="ansible_ssh_host=127.0.1.1 ansible_ssh_port=2222 ansible_ssh_user=anna"),
    Row("user", "alpha anna", vars=f"{ALPHA} ansible_user=anna"),
    Row("nobody-listens", REFUSED, vars=f"{ALPHA} ansible_port=2223"),
    Row("no-such-name", REFUSED, vars="ansible_host=nobody.invalid"),
    Row("address-of-six-bytes", "six root", vars="ansible_host=::1"),
    Row("name-in-capitals", "alpha root", vars="ansible_host=ALPHA.LAB", known="alpha.lab <alpha>\n"),
    Row("templated-port", "gamma root", yaml="base: 2200\nansible_port: '{{ base + 22 }}'\n"),
    Row("port-as-text", "gamma root", yaml="ansible_port: '2222'\n"),
    Row("templated-user", "alpha anna", yaml="logins: {admin: anna}\nansible_user: '{{ logins.admin }}'\n"),
    Row(
        "user-by-a-lookup",
        "alpha anna",
        yaml="ansible_user: \"{{ lookup('env', 'NOBODY') | default('anna', true) }}\"\n",
    ),
    Row("templated-address", "beta root", vars="", yaml="last: 2\nansible_host: 127.0.1.{{ last }}\n"),
    Row("vaulted-user", "alpha anna", yaml="ansible_user: <vaulted anna>\n"),
    Row("vaulted-stranger", "alpha root", yaml="something_else: <vaulted anything>\n"),
    Row("group-variables", "gamma anna", sections="[relays:vars]\n", yaml="ansible_port: 2222\nansible_user: anna\n"),
    Row("full-name-of-ssh", "alpha root", vars=f"{ALPHA} ansible_connection=ansible.builtin.ssh"),
    # Ansible's arguments for ssh
    Row("args-port", "gamma root", vars=f"{ALPHA} ansible_ssh_args='-o Port=2222'"),
    Row("args-port-joined", "gamma root", vars=f"{ALPHA} ansible_ssh_common_args=-oPort=2222"),
    Row("args-port-quoted", "gamma root", yaml="ansible_ssh_common_args: '-o \"Port 2222\"'\n"),
    Row("args-port-letter", "gamma root", vars=f"{ALPHA} ansible_ssh_extra_args='-p 2222'"),
    Row("args-letters-joined", "gamma root", vars=f"{ALPHA} ansible_ssh_common_args='-4Tp 2222'"),
    Row("args-user-letter", "alpha anna", vars=f"{ALPHA} ansible_ssh_common_args='-l anna'"),
    Row("args-before-variables", "gamma root", vars=f"{ALPHA} ansible_port=22 ansible_ssh_args='-o Port=2222'"),
    Row(
        "variables-before-common-args", "alpha root", vars=f"{ALPHA} ansible_port=22 ansible_ssh_common_args='-p 2222'"
    ),
    Row(
        "common-before-extra-args",
        "gamma root",
        vars=f"{ALPHA} ansible_ssh_common_args='-p 2222' ansible_ssh_extra_args='-p 22'",
    ),
    Row("args-key", "alpha anna", keys="", vars=f"{ALPHA} ansible_user=anna ansible_ssh_common_args='-i ~/keys/annas'"),
    Row("args-no-value", REFUSED, vars=f"{ALPHA} ansible_ssh_common_args='-o'"),
    Row("args-unknown-option", REFUSED, vars=f"{ALPHA} ansible_ssh_common_args='-o Sesame=open'"),
    Row("args-templated", "gamma root", yaml="other: 2222\nansible_ssh_common_args: '-o Port={{ other }}'\n"),
    Row(
        "args-configuration",
        "gamma anna",
        files={"other": "Host *\n  Port 2222\n  User anna\n"},
        vars=f"{ALPHA} ansible_ssh_args='-F /mnt/home/.ssh/other'",
        config="Host *\n  User carl\n",
        system="Host *\n  Port 1\n",
    ),
    Row(
        "args-no-configuration",
        "alpha root",
        vars=f"{ALPHA} ansible_ssh_args='-F /dev/null'",
        config="Host *\n  Port 2222\n",
    ),
    Row(
        "args-configuration-none",
        "alpha root",
        vars=f"{ALPHA} ansible_ssh_common_args='-F none'",
        config="Host *\n  Port 2222\n",
    ),
    Row(
        "args-configuration-with-tilde",
        REFUSED,
        files={"other": "Host *\n  Port 2222\n"},
        vars=f"{ALPHA} ansible_ssh_args='-F ~/.ssh/other'",
    ),
    Row("args-missing-configuration", REFUSED, vars=f"{ALPHA} ansible_ssh_args='-F ~/.ssh/missing'"),
    Row(
        "args-known-hosts",
        "alpha root",
        known="",
        files={"others": "127.0.1.1 <alpha>\n"},
        vars=f"{ALPHA} ansible_ssh_common_args='-o UserKnownHostsFile=~/.ssh/others'",
    ),
    Row("name-of-login-in-the-environment", "alpha root", environ={"LOGNAME": "anna", "USER": "anna"}),
)
