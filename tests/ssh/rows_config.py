"""~/.ssh/config and /etc/ssh/ssh_config."""

from __future__ import annotations

from tests.ssh.row import REFUSED, Row

NO_ADDRESS = ""
TO_GAMMA = "  Port 2222\n"

ROWS = (
    Row(
        "alias",
        "gamma anna",
        vars="ansible_host=vps",
        config="Host vps\n  HostName 127.0.1.1\n  Port 2222\n  User anna\n",
    ),
    Row(
        "alias-of-the-inventory",
        "gamma root",
        vars=NO_ADDRESS,
        config="Host alias-of-the-inventory\n  HostName 127.0.1.1\n  Port 2222\n",
    ),
    Row("two-names", "gamma root", config="Host vps 127.0.1.1\n  Port 2222\n"),
    Row("pattern", "gamma root", config="Host 127.0.?.*\n  Port 2222\n"),
    Row("pattern-excluded", "alpha root", config="Host * !127.0.1.1\n  Port 2222\n"),
    Row("first-value", "gamma root", config="Host 127.0.1.1\n  Port 2222\nHost *\n  Port 22\n"),
    Row(
        "variable-before-config",
        "alpha anna",
        vars="ansible_host=127.0.1.1 ansible_port=22 ansible_user=anna",
        config="Host *\n  Port 2222\n  User carl\n",
    ),
    Row("before-any-host", "gamma root", config="Port 2222\nHost other\n  Port 1\n"),
    Row("written-otherwise", "gamma anna", config='# why\n\nhost\t=\t"127.0.1.1"\n\tPORT="2222"   \n    uSeR=anna\n'),
    Row("comment-behind-a-value", "gamma root", config="Host 127.0.1.1 # the VPS\n  Port 2222 # odd\n"),
    Row("line-ends-of-windows", "gamma root", config="Host 127.0.1.1\r\n  Port 2222\r\n"),
    Row("no-end-of-line", "gamma root", config="Host 127.0.1.1\n  Port 2222"),
    Row(
        "hostname-with-token",
        "alpha root",
        vars="ansible_host=alpha",
        config="Host alpha\n  HostName %h.lab\n",
        known="alpha.lab <alpha>\n",
    ),
    Row("hostname-in-capitals", REFUSED, vars="ansible_host=VPS", config="Host vps\n  HostName 127.0.1.1\n"),
    Row("unknown-option", REFUSED, config="Host *\n  Sesame open\n"),
    Row("unknown-option-elsewhere", REFUSED, config="Host other\n  Sesame open\n"),
    Row("ignored-option", "gamma root", config="IgnoreUnknown Sesame\nHost *\n  Sesame open\n  Port 2222\n"),
    Row("unknown-value", REFUSED, config="Host *\n  ForwardAgent /nowhere yes\n"),
    Row("port-that-is-none", REFUSED, config="Host *\n  Port twenty\n"),
    Row("option-without-value", REFUSED, config="Host *\n  Port\n"),
    Row(
        "values-in-capitals",
        "alpha root",
        config="Host *\n  ForwardAgent Yes\n  Compression YES\n  BatchMode Yes\n  ConnectTimeout 1m\n",
    ),
    Row(
        "times-with-units",
        "alpha root",
        config="Host *\n  ServerAliveInterval 1m\n  ConnectTimeout 1m30s\n  ControlPersist 1h\n",
    ),
    Row("address-family", "alpha root", config="Host *\n  AddressFamily inet\n"),
    Row("port-by-service", "alpha root", config="Host *\n  Port ssh\n"),
    # Include
    Row("include", "gamma anna", config="Include more\n", files={"more": "Host *\n  Port 2222\n  User anna\n"}),
    Row(
        "include-in-a-block",
        "gamma root",
        config="Host 127.0.1.1\n  Include more\nHost other\n  Include bad\n",
        files={"more": "Port 2222\n", "bad": "User carl\n"},
    ),
    Row("include-not-for-us", "alpha root", config="Host other\n  Include more\n", files={"more": "Port 2222\n"}),
    Row(
        "include-pattern",
        "gamma anna",
        config="Include ~/.ssh/more-* /nowhere/*\n",
        files={"more-a": "Host *\n  Port 2222\n", "more-b": "Host *\n  Port 1\n  User anna\n"},
    ),
    Row(
        "include-within-include",
        "gamma root",
        config="Include one\n",
        files={"one": "Include two\n", "two": "Port 2222\n"},
    ),
    Row("include-that-is-missing", "alpha root", config="Include missing\n"),
    Row("include-of-itself", REFUSED, config="Include config\n"),
    # Match
    Row(
        "match-user",
        "gamma anna",
        vars="ansible_host=127.0.1.1 ansible_user=anna",
        config="Match user anna\n  Port 2222\nMatch user root\n  Port 1\n",
    ),
    Row("match-user-of-config", "gamma anna", config="Host *\n  User anna\nMatch user anna\n  Port 2222\n"),
    Row("match-other-user", "alpha root", config="Match user anna\n  Port 2222\n"),
    Row(
        "match-host",
        "beta anna",
        vars="ansible_host=vps",
        config="Host vps\n  HostName 127.0.1.2\nMatch host 127.0.1.2\n  User anna\nMatch host vps\n  Port 1\n",
    ),
    Row(
        "match-originalhost",
        "beta anna",
        vars="ansible_host=vps",
        config="Host vps\n  HostName 127.0.1.2\nMatch originalhost vps\n  User anna\n",
    ),
    Row(
        "match-localuser", "gamma root", config="Match localuser root\n  Port 2222\nMatch localuser anna\n  User carl\n"
    ),
    Row("match-all", "gamma root", config="Host other\n  Port 1\nMatch all\n  Port 2222\n"),
    Row("match-final", "gamma root", config="Match final all\n  Port 2222\nHost *\n"),
    Row("match-exec", "gamma root", config='Match exec "test %h = 127.0.1.1"\n  Port 2222\n'),
    Row("match-exec-that-fails", "alpha root", config='Match exec "false"\n  Port 2222\n'),
    Row("match-negated", "alpha root", config="Match !user root\n  Port 2222\n"),
    Row("match-two-criteria", "alpha root", config="Match host 127.0.1.1 user anna\n  Port 2222\n"),
    Row("match-in-capitals", "alpha root", config="Match User anna\n  Port 2222\n"),
    Row("match-host-in-capitals", "gamma root", config="MATCH HOST 127.0.1.1\n  PORT 2222\n"),
    Row("match-canonical", "alpha root", config="Match canonical\n  Port 2222\n"),
    Row("match-unknown", REFUSED, config="Match moon full\n  Port 2222\n"),
    Row("match-localnetwork", "alpha root", config="Match localnetwork 192.0.2.0/24\n  Port 2222\n", since="9.4"),
    Row("match-tagged", "alpha root", config="Match tagged work\n  Port 2222\n", since="9.4"),
    Row("match-tag-of-config", "gamma root", config="Tag work\nMatch tagged work\n  Port 2222\n", since="9.4"),
    Row(
        "canonical-name",
        "alpha anna",
        vars="ansible_host=alpha",
        known="alpha.lab <alpha>\n",
        config="CanonicalizeHostname yes\nCanonicalDomains lab\nHost alpha.lab\n  User anna\n",
    ),
    # the system's file
    Row("system", "gamma anna", system="Host *\n  Port 2222\n  User anna\n"),
    Row("user-before-system", "gamma root", config="Host *\n  Port 2222\n", system="Host *\n  Port 1\n"),
    Row("system-adds", "gamma anna", config="Host *\n  Port 2222\n", system="Host *\n  User anna\n"),
)
