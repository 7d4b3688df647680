"""A part: one kind of thing of ours in the kernel, such as our routes.

To add a part, write a file with a class that derives from ``Part`` (or ``Objects``, for what ``ip`` makes), and put an
instance into the registry in ``parts/__init__.py``, at the place where its objects are made. The engine does the rest:
it reads all parts side by side, compares, and puts the changes in the order of their stages. ``nethook clear`` wants
nothing of any part.
"""

from __future__ import annotations

from nethook.steps.effect import ADD, REMOVE, WORDS, Effect
from nethook.steps.piece import PLACE, PLACE_BOUND, WITHDRAW, IpPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set
    from typing import Any

    from nethook.config import RoutedIP
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host.host import Host
    from nethook.placement.placement import Lack, Placement
    from nethook.steps.piece import Piece

NO_DEVICE = "Cannot find device "


class Part:
    """One kind of thing of ours in the kernel."""

    name = ""
    """The word for it in effects, and in JSON."""

    def __init_subclass__(cls, words: Mapping[str, str] | None = None) -> None:
        """Enter the text of each kind of effect, with places for ``{prefix}``, ``{bridge}`` and ``{to}``."""
        WORDS.update(words or {})

    def read(self, host: Host, question: Question) -> Any:
        """Return the state of this part in the kernel; ReadError if it cannot be known."""
        raise NotImplementedError

    def want(self, case: Case) -> Any:
        """Return what there should be. Pure."""
        raise NotImplementedError

    def want_nothing(self) -> Any:
        """Return the same when nothing of ours should be in the kernel."""
        raise NotImplementedError

    def compare(self, case: Case) -> Any:
        """Return the difference between what is wanted and the state, within the scope of the run. Pure."""
        raise NotImplementedError

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield the changes that make the difference disappear, each with its stage. Pure."""
        raise NotImplementedError

    def note(self, case: Case) -> Any:
        """Return what ``lacks`` looks things up in, so that it takes a moment for each line."""
        del case

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield what the line still lacks of this part, before the changes of the case are made."""
        del case, placement
        yield from ()


class Key(tuple[str, ...]):
    """One object of a part: its address or prefix, its device, and what else tells it from others.

    By the device, a run knows whether it decides about the object. '' stands for what does not depend on a network:
    every run decides about that.
    """

    __slots__ = ()

    @property
    def prefix(self) -> str:
        """The address or prefix that the object is about."""
        return self[0]

    @property
    def device(self) -> str:
        """The device that the object is on, or ''."""
        return self[1]


class Wanted:
    """Objects that should be there, each with the line that wants it, and objects that stay although no line does."""

    __slots__ = ("keys", "stay")

    def __init__(self, keys: dict[Any, RoutedIP], stay: Set[Any] = frozenset()) -> None:
        self.keys = keys
        self.stay = stay


class Delta:
    """Objects that go and objects that come, in the order in which that happens.

    An object that changes is in both, with its old key in ``gone`` and its new key in ``new``.
    """

    __slots__ = ("gone", "new")

    def __init__(self, gone: Sequence[Any] = (), new: Sequence[Any] = ()) -> None:
        self.gone = gone
        self.new = new


class Objects(Part):
    """A part whose objects ``ip`` makes and deletes. They carry our number, and by that are known as ours."""

    already_gone: tuple[str, ...] = (NO_DEVICE,)
    """Beginnings of kernel messages that mean "already deleted", for example with its device."""
    waits_for_binding = False
    """An object of a bound line must not come before its address is kept to its guest."""

    def add(self, key: Any, protocol: int) -> str:
        """Return the line for ``ip -batch`` that adds it."""
        raise NotImplementedError

    def delete(self, key: Any, protocol: int) -> str:
        """Return the line for ``ip -batch`` that deletes it, if it is ours."""
        raise NotImplementedError

    def leads_to(self, key: Any) -> str:
        """Return what an effect says that the object leads to: its next hop, NIC or uplink; '' if it has none."""
        return "".join(key[2:])

    def family_option(self, key: Any) -> str:
        """Return the option that tells ip the address family; '' where it sees that from the line."""
        del key
        return ""

    def added(self, keys: Sequence[Any], host: Host) -> None:
        """Do what must be done once these have been added."""
        del keys, host

    def why_not_added(self, key: Any, said: str, host: Host) -> str:
        """Return why the kernel, which said this, refused to add it; '' if all is well without it.

        Without its device, it is: the network stopped just now, and an event will tell.
        """
        if said.startswith(NO_DEVICE):
            return ""
        _, device, *_ = key
        if device and said.endswith("is not up"):
            return f"{device} is down: run `ip link set {device} up`, then `nethook apply`"
        is_ipv6 = ":" in key[0] and 6 in host.families()
        if device and is_ipv6 and host.number_of(device) and not host.has_ipv6(device):
            return (
                f"{device} has no IPv6, because its MTU is below 1280 bytes: set a larger one, then run `nethook apply`"
            )
        return said

    def want_nothing(self) -> Wanted:
        """Return that no object is wanted."""
        return Wanted({})

    def compare(self, case: Case) -> Delta:
        """Return the objects that are there and not wanted, and those that are wanted and not there."""
        there, wanted = case.state(self), case.wanted(self)
        surplus = there - wanted.keys.keys() - wanted.stay
        gone = sorted(key for key in surplus if case.decides_about(key))
        return Delta(gone, [key for key in wanted.keys if key not in there])

    def effect(self, sign: str, key: Any, line: RoutedIP | None = None) -> Effect:
        """Return what it means that this object is added or deleted."""
        return Effect(sign, self.name, prefix=key[0], bridge=key[1], to=self.leads_to(key), line=line)

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield the deletions and additions. An object that changes is deleted right before it is added."""
        delta, lines = case.delta(self), case.wanted(self).keys
        changed = {key[0] for key in delta.new}
        bound: set[str] = set()
        if self.waits_for_binding and case.binds:
            bound = {key[0] for key in delta.new if lines[key].guest}
        for key in delta.gone:
            stage = WITHDRAW if key[0] not in changed else PLACE_BOUND if key[0] in bound else PLACE
            yield IpPiece(stage, self, key, self.delete(key, case.protocol), self.effect(REMOVE, key))
        for key in delta.new:
            stage = PLACE_BOUND if key[0] in bound else PLACE
            yield IpPiece(stage, self, key, self.add(key, case.protocol), self.effect(ADD, key, lines.get(key)))
