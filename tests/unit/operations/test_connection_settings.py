"""ssh's arguments, read for the way that they describe."""

from __future__ import annotations

import pytest

from operations.connection_settings import ssh_arguments
from operations.problems import UsageProblem


def test_options_in_all_the_ways_that_ssh_takes_them() -> None:
    found = ssh_arguments("-o Port=2222 -oUser=admin", '-o "ProxyCommand nc %h %p" -J a,b -i key -F /dev/null')
    assert [found.get(name) for name in ("port", "USER", "ProxyCommand", "ProxyJump", "IdentityFile")] == [
        *("2222", "admin", "nc %h %p", "a,b", "key")
    ]
    assert found.config == "/dev/null"


def test_the_first_value_of_an_option_counts() -> None:
    assert ssh_arguments("-o Port=1 -o Port=2", "-p 3").get("port") == "1"


def test_files() -> None:
    found = ssh_arguments('-o UserKnownHostsFile="\\"/with blank/known\\" other" -o GlobalKnownHostsFile=none')
    assert found.files("UserKnownHostsFile", ["default"]) == ["/with blank/known", "other"]
    assert found.files("GlobalKnownHostsFile", ["default"]) == []
    assert found.files("IdentityFile", ["default"]) == ["default"]


def test_what_says_nothing_about_the_way_is_passed_over() -> None:
    assert ssh_arguments("-C -tt -o ControlMaster=auto -o", "").get("port") is None


def test_arguments_that_can_not_be_read() -> None:
    with pytest.raises(UsageProblem, match="^the inventory's ssh arguments can't be read: No closing quotation$"):
        ssh_arguments("-o 'Port=1")
