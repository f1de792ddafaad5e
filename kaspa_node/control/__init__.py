"""The control socket: how `kaspa-node status` and its kin talk to a running node.

One JSON object on one line in, one out, then the connection ends. `client` needs only the standard library, so that
commands start fast; `server` runs on trio. Neither is imported here.
"""

from __future__ import annotations
