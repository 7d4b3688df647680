"""Sees whether anybody writes to the kernel: the kernel itself reports each change of routes and of nftables."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.namespace import Namespace

# Bit masks of multicast groups: RTMGRP_IPV4_ROUTE and RTMGRP_IPV6_ROUTE, NFNLGRP_NFTABLES. <linux/rtnetlink.h>,
# <linux/netfilter/nfnetlink.h>
_ROUTES = (0, 0x40 | 0x400)
_NFTABLES = (12, 1 << (7 - 1))


class Watch:
    """Hears of the changes in a namespace from now on."""

    def __init__(self, namespace: Namespace) -> None:
        self._sockets = []
        for protocol, groups in (_ROUTES, _NFTABLES):
            with namespace.entered():
                made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            made.bind((0, groups))
            self._sockets.append(made)

    def has_seen_routes(self) -> bool:
        """Whether routes were changed since the last call."""
        return _drain(self._sockets[0])

    def has_seen_nftables(self) -> bool:
        """Whether rules or sets were changed since the last call."""
        return _drain(self._sockets[1])

    def close(self) -> None:
        """Listen no more."""
        for each in self._sockets:
            each.close()


def _drain(heard: socket.socket) -> bool:
    seen = False
    while True:
        try:
            seen = bool(heard.recv(65536)) or seen
        except BlockingIOError:
            return seen
