"""What installing stops at before anything was written."""

from __future__ import annotations

from nethook.errors import NethookError


class RefusedError(NethookError):
    """It would do harm, or is somebody else's; the sentence says what to do first."""
