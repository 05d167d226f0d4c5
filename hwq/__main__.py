"""``python -m hwq``: the ``hwq`` command."""

from __future__ import annotations

import sys

from hwq.cli import main

sys.exit(main())
