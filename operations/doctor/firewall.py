"""What a host's filters do to the node's port, by the rules that deploy works with (ansible/plugins/module_utils)."""

from __future__ import annotations

from dataclasses import replace

import kaspa_filters
import kaspa_rulesets
import kaspa_ufw

from kaspa_node.evidence.decode import Record
from operations.doctor.facts import Firewall


def read_firewall(answer: Record, port: int) -> Firewall:
    """The filters as the probe `look` found them, and what they do to that TCP port."""
    found = _filters(answer, port)
    replacers = kaspa_rulesets.parse(answer.any_text("rulesets") or "")
    if not replacers or not answer.present("ufw") or not kaspa_ufw.at_boot(answer.record("ufw").any_text("boot") or ""):
        return found
    return replace(found, replaced=str(replacers[0]), remedy=replacers[0].remedy)


def _filters(answer: Record, port: int) -> Firewall:
    saved = {4: answer.any_text("iptables") or "", 6: answer.any_text("ip6tables") or ""}
    routes = {4: answer.any_text("routes4") or "", 6: answer.any_text("routes6") or ""}
    others = kaspa_filters.Filters(saved, answer.any_text("nft") or "", answer.boolean("firewalld"), routes=routes)
    ufw = _ufw(answer.record("ufw")) if answer.present("ufw") else None
    on = others.firewalld or (ufw is not None and ufw.active)
    refusals = others.refusals(port, ufw=ufw is not None and ufw.active)
    if refusals:
        return Firewall(on, f"{refusals[0].filter}: {refusals[0].rule}", others=True)
    if ufw is None:
        return Firewall(on)
    access = ufw.access(port, family=others.family)
    if access.origin == kaspa_ufw.NOWHERE:
        by_default = f"ufw is active, denies incoming connections, and has no rule that allows {port}/tcp"
        return Firewall(on, by_default if access.rule is None else f"ufw: {access.reason}")
    if access.origin in (kaspa_ufw.SOME, kaspa_ufw.LIMITED):
        return Firewall(on, partly=f"ufw: {access.reason}")
    return Firewall(on)


def _ufw(record: Record) -> kaspa_ufw.Filter:
    texts = (record.any_text(name) or "" for name in ("defaults", "rules4", "rules6"))
    return kaspa_ufw.parse(record.boolean("active"), *texts)
