"""The codes of reasons in the evidence of nodes that wrote none."""

from __future__ import annotations

from kaspa_node.reasons import POLICY_RELAY_ONLY

# Such nodes wrote the sentence alone. Their sentences are read here, where a bundle is decoded, and nowhere else.
_SENTENCES = {"the policy is relay-only": POLICY_RELAY_ONLY}


def code_of(sentence: str | None) -> str | None:
    """The code of a reason in a bundle that has no codes, None if no verdict depends on that reason."""
    return _SENTENCES.get(sentence or "")
