"""The relay's side of circuit relay v2."""
