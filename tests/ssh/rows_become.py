"""Who runs the commands: become, its password, the shell of the login user."""

from __future__ import annotations

from tests.ssh.row import REFUSED, Row

ALPHA = "ansible_host=127.0.1.1"
ANNA = f"{ALPHA} ansible_user=anna"
BEN = f"{ALPHA} ansible_user=ben"

ROWS = (
    Row("become", "alpha anna root", vars=f"{ANNA} ansible_become=true"),
    Row("become-yes", "alpha anna root", vars=f"{ANNA} ansible_become=yes"),
    Row("become-False", "alpha anna", vars=f"{ANNA} ansible_become=False"),
    Row("become-false", "alpha anna", vars=f"{ANNA} ansible_become=false"),
    Row("become-no", "alpha anna", vars=f"{ANNA} ansible_become=no"),
    Row("become-no-in-yaml", "alpha anna", vars=ANNA, yaml="ansible_become: 'no'\n"),
    Row("become-templated", "alpha anna root", vars=ANNA, yaml="ansible_become: \"{{ ansible_user != 'root' }}\"\n"),
    Row("become-as-root", "alpha root", vars=f"{ALPHA} ansible_become=true"),
    Row("become-not-allowed", REFUSED, vars=f"{ALPHA} ansible_user=carl ansible_become=true"),
    Row(
        "become-full-name",
        "alpha anna root",
        vars=f"{ANNA} ansible_become=true ansible_become_method=ansible.builtin.sudo",
    ),
    Row("become-user-of-config", "alpha anna root", vars=f"{ALPHA} ansible_become=true", config="User anna\n"),
    Row("become-flags", "alpha anna root", vars=f"{ANNA} ansible_become=true ansible_become_flags='-H -S'"),
    Row("become-executable", "alpha anna root", vars=f"{ANNA} ansible_become=true ansible_become_exe=/usr/bin/sudo"),
    Row("become-missing-executable", REFUSED, vars=f"{ANNA} ansible_become=true ansible_become_exe=/nowhere/sudo"),
    Row("become-somebody-else", "alpha anna carl", vars=f"{ANNA} ansible_become=true ansible_become_user=carl"),
    Row("become-without-password", REFUSED, vars=f"{BEN} ansible_become=true"),
    Row("become-password", "alpha ben root", vars=f"{BEN} ansible_become=true ansible_become_password=secret"),
    Row("become-password-old-name", "alpha ben root", vars=f"{BEN} ansible_become=true ansible_become_pass=secret"),
    Row("become-password-wrong", REFUSED, vars=f"{BEN} ansible_become=true ansible_become_password=guess"),
    Row(
        "become-password-not-needed",
        "alpha anna root",
        vars=f"{ANNA} ansible_become=true ansible_become_password=guess",
    ),
    Row(
        "become-password-in-a-vault",
        "alpha ben root",
        vars=f"{BEN} ansible_become=true",
        yaml="ansible_become_password: <vaulted secret>\n",
    ),
    Row(
        "become-password-from-a-file",
        "alpha ben root",
        vars=f"{BEN} ansible_become=true",
        files={"pass": "secret\n"},
        yaml="ansible_become_password: \"{{ lookup('file', '/mnt/rows/become-password-from-a-file/ssh/pass') }}\"\n",
    ),
    Row(
        "login-password-for-sudo",
        "password ben root",
        keys="",
        vars="ansible_host=127.0.1.9 ansible_user=ben ansible_password=secret ansible_become=true "
        "ansible_become_password=secret",
    ),
    Row(
        "become-behind-a-jump",
        "inner ben root",
        config="Host 127.0.2.1\n  ProxyJump 10.9.0.2\n",
        vars="ansible_host=127.0.2.1 ansible_user=ben ansible_become=true ansible_become_password=secret",
    ),
    Row(
        "become-by-su",
        "alpha root",
        vars=f"{ANNA} ansible_become=true ansible_become_method=su ansible_become_password=secret",
        unlike="tasks know sudo",
    ),
    Row("odd-shell", "alpha dora", vars=f"{ALPHA} ansible_user=dora"),
    Row("odd-shell-and-become", "alpha dora root", vars=f"{ALPHA} ansible_user=dora ansible_become=true"),
    Row(
        "interpreter", "alpha anna root", vars=f"{ANNA} ansible_become=true ansible_python_interpreter=/usr/bin/python3"
    ),
)
