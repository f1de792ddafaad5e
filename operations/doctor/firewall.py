"""What a host's filters do to the node's port, by the rules that deploy works with (ansible/plugins/module_utils)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import kaspa_filters
import kaspa_rulesets
import kaspa_ufw

from kaspa_node.evidence.decode import Record
from operations.doctor.facts import Firewall


def read_firewall(answer: Record, port: int, listening: Collection[str]) -> Firewall:
    """The filters as the probe `look` found them, and what they do to that TCP port.

    listening: the addresses that the node listens on.
    """
    saved = {4: answer.any_text("iptables") or "", 6: answer.any_text("ip6tables") or ""}
    routes = {4: answer.any_text("routes4") or "", 6: answer.any_text("routes6") or ""}
    nft, addresses = answer.any_text("nft") or "", answer.any_text("addresses") or ""
    others = kaspa_filters.Filters(saved, nft, answer.boolean("firewalld"), routes=routes, addresses=addresses)
    ufw = _ufw(answer.record("ufw")) if answer.present("ufw") else None
    judged = {family: _in_family(family, port, others, ufw) for family in others.families(listening)}
    worst = min(judged, key=lambda family: (not judged[family].shut, not judged[family].partly, family))
    found = judged[worst]
    if any(not (each.shut or each.partly) for each in judged.values()) and (found.shut or found.partly):
        found = replace(found, family=worst)
    replacers = kaspa_rulesets.parse(answer.any_text("rulesets") or "")
    if not replacers or ufw is None or not ufw.enabled:
        return found
    return replace(found, replaced=str(replacers[0]), remedy=replacers[0].remedy)


def _in_family(family: int, port: int, others: kaspa_filters.Filters, ufw: kaspa_ufw.Filter | None) -> Firewall:
    active = ufw is not None and ufw.active
    on = others.firewalld or active
    refusal = next((each for each in others.refusals(port, ufw=active) if family in each.families), None)
    if refusal is not None:
        return Firewall(on, f"{refusal.filter}: {refusal.rule}", others=True)
    if ufw is None:
        return Firewall(on)
    interface, to = others.uplink(family)
    access = ufw.access(port, family=family, interface=interface, to=to)
    if access.origin == kaspa_ufw.NOWHERE:
        by_default = f"ufw is active, denies incoming connections, and has no rule that allows {port}/tcp"
        if family == 6 and not ufw.ipv6:
            by_default = "ufw: IPV6=no in /etc/default/ufw"
        return Firewall(on, by_default if access.rule is None else f"ufw: {access.reason}")
    if access.origin in (kaspa_ufw.SOME, kaspa_ufw.LIMITED):
        return Firewall(on, partly=f"ufw: {access.reason}")
    return Firewall(on)


def _ufw(record: Record) -> kaspa_ufw.Filter:
    texts = (record.any_text(name) or "" for name in ("defaults", "rules4", "rules6", "boot"))
    return kaspa_ufw.parse(record.boolean("active"), *texts)
