"""The lines of a file, whatever editor or system it comes from."""

from __future__ import annotations

from nethook.config.problem import Place, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.net.prefix import Prefix

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

MOST_LINES = 200_000
"""More lines than this are not read: each costs a few microseconds, and libvirt waits for the hook."""
MOST_PROBLEMS = 1000
"""More mistakes than this are counted, not explained."""


class LineError(Exception):
    """Something wrong at a column of a line, raised where nobody knows yet which line of which file it is."""

    def __init__(self, column: int, what: str, advice: str) -> None:
        super().__init__(what)
        self.column = column
        self.what = what
        self.advice = advice


class Line:
    """One line of a file. A byte in it that is not UTF-8 is a lone surrogate, and so costs no other line."""

    __slots__ = ("file", "number", "text")

    def __init__(self, file: str, number: int, text: str) -> None:
        self.file = file
        self.number = number
        self.text = text

    def place(self, column: int) -> Place:
        """The position of a column of this line."""
        return Place(self.file, self.number, column)

    def problem(self, error: LineError, prefix: Prefix | None = None) -> Problem:
        """The error as something to tell people, now that its line is known."""
        # Lone surrogates cannot be printed; each becomes one '?', which keeps the columns.
        text = self.text.encode("utf-8", "replace").decode()
        return Problem(self.place(error.column), error.what, error.advice, text, prefix)


def read_lines(file: str, data: bytes, most: int = MOST_LINES) -> Iterator[Line]:
    """Yield the lines of the file, without line ends and byte-order mark.

    Behind the first ``most`` lines, all that is left is yielded as one line.
    """
    if data.startswith(BYTE_ORDER_MARK):
        data = data[len(BYTE_ORDER_MARK) :]
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n", most), start=1):
        yield Line(file, number, line)
