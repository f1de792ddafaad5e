"""Attacks on a node: victim, attacker and an honest peer are processes of their own on loopback.

`python -m tests.hostile` measures every attack and prints the table of docs/security.md.
"""
