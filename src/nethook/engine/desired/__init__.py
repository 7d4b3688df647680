"""What should be: out of the configuration, libvirt's networks, and what is there already.

``desire.py`` puts it together, and ``state.py`` is what comes out; beside them each part has its file.
"""

from __future__ import annotations

from nethook.engine.desired.desire import desire
from nethook.engine.desired.state import Desired

__all__ = ["Desired", "desire"]
