"""`python -m kaspa_node` is `kaspa-node`."""

from __future__ import annotations

import sys

from kaspa_node.cli import main

sys.exit(main())
