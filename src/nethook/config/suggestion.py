"""The word that was probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# A typing error is in a short word, and comparing takes quadratic time.
_LONGEST = 40


def suggestion(word: str, known: Sequence[str]) -> str:
    """Advice that names the known word nearest to this one, or all of them where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms, only where there is something to say

    near = get_close_matches(word[:_LONGEST].lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"write one of: {', '.join(known)}"
