from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.modules import kaspa_firewall as firewall


@pytest.mark.parametrize("text", ["", '{"rules": ', "[1]", '{"rules": [1, 2]}', '{"rules": {}}', '{"rules": [{}]}'])
def test_a_broken_record_is_named_because_a_new_one_would_forget_the_state_before_the_first_deploy(
    tmp_path: Path, text: str
) -> None:
    record = tmp_path / "kaspa_firewall.fact"
    record.write_text(text)
    with pytest.raises(OSError, match="does not say what deploy added here and how ufw was before; restore it"):
        firewall.read_record(record)


def test_a_record_is_read_as_it_was_written_also_an_earlier_releases(tmp_path: Path) -> None:
    record = tmp_path / "kaspa_firewall.fact"
    assert firewall.read_record(record) == {}
    rules = [{"family": 4, "port": 4011, "for": "node"}, {"family": 6, "port": 51820, "for": "kept", "protocol": "udp"}]
    for written in ({"active": False, "incoming": "deny", "rules": rules}, {"active": True, "ports": [22, 4011]}):
        firewall.write_record(record, written)
        assert firewall.read_record(record) == written
