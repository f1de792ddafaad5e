"""Keeping a connection to a relay, and a reservation on it."""
