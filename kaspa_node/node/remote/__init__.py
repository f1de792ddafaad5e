"""The life of a remote: which path it gets, and what happens when that path or the session on it is lost.

    events, now ─▶ machine (attempt, relay_choice) ─▶ commands ─▶ keeper: does them on trio ─▶ events

The machine has no socket and no clock.
"""
