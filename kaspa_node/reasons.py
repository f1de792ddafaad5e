"""Why something is not as one would like it to be: codes for programs. Nobody looks into the sentences beside them."""

from __future__ import annotations

from typing import Final

POLICY_RELAY_ONLY: Final = "policy-relay-only"
"""The path policy wants the relay."""

NO_RELAY: Final = "no-relay"
"""No relay is configured, or none is connected."""

NO_RESERVATION: Final = "no-reservation"
"""The relay holds no reservation of the remote."""

RELAY_REFUSED: Final = "relay-refused"
"""No relay has opened a circuit."""

NO_LONGER_WANTED: Final = "no-longer-wanted"
"""The remote is no longer one of the configured ones."""

PATH_FAILED_UNDER_DATA: Final = "path-failed-under-data"
"""A direct path was opened and then carried nothing: it is not tried for a while."""

PATH_LOST: Final = "path-lost"
"""The connection under a session has ended."""

SESSION_REFUSED: Final = "session-refused"
"""The Kaspa handshake has failed."""

SESSION_ENDED: Final = "session-ended"
"""The session is over, and its path was in order."""

BACKEND_FAILED: Final = "backend-failed"
"""What speaks Kaspa on this machine could not be reached."""
