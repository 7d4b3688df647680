"""The errors of this program, by what the person who reads them should do."""


class NethookError(Exception):
    """Base of all: its text is one sentence for the person who administers the host."""


class ReadError(NethookError):
    """The state of the host could not be read, so nothing was changed."""


class ApplyError(NethookError):
    """A change could not be made, or only a part of it: the text says which."""
