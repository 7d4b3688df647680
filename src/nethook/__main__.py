"""``python3 -m nethook`` is the command ``nethook``."""

import sys

from nethook.cli import main

sys.exit(main())
