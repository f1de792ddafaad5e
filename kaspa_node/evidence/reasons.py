"""Codes of the reasons why a peer has no direct path, as far as a verdict depends on them."""

from __future__ import annotations

POLICY_RELAY_ONLY = "policy-relay-only"

# Nodes up to 0.1.0 wrote the sentence alone. Bundles of that time are read by it; nothing else looks at sentences.
_SENTENCES = {"the policy is relay-only": POLICY_RELAY_ONLY}


def code_of(sentence: str | None) -> str | None:
    """The code of a reason in a bundle that has no codes, None if no verdict depends on that reason."""
    return _SENTENCES.get(sentence or "")
