"""The control socket: how `kaspa-node status` and other commands talk to a running node.

The request is one JSON object on one line, and so is the answer. Then the connection ends. `client` needs only the
standard library, so that commands start fast; `server` runs on trio. Neither is imported here.
"""

from __future__ import annotations
