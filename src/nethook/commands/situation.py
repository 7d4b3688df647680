"""What every verb that looks at the host begins with: the files, libvirt's networks, and which of them it is about."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook import device_name
from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import places
from nethook.config.problem import one_line
from nethook.config.suggestion import suggestion
from nethook.diagnosis.host_problems import no_such_network
from nethook.errors import NethookError
from nethook.kernel import device
from nethook.kernel.process import Tools
from nethook.libvirt.live import live_networks
from nethook.others import Others
from nethook.scope import Scope, scope_of, subnets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.libvirt.live import LiveNetwork
    from nethook.libvirt.network import Network

SECONDS = 5.0
"""For reading and changing the kernel: a hook that waits meanwhile gives up after 6."""
SECONDS_PER_ADDRESS = 0.0005
"""More, where there are many: some four times what an idle machine takes."""


class Situation:
    """The configuration, all networks of libvirt by name, those that are ``up``, and the ``scope`` of the run."""

    def __init__(self, configuration: Configuration, live: dict[str, LiveNetwork], names: Sequence[str]) -> None:
        self.configuration = configuration
        self.live = live
        self._names = names
        about = [live[name].network for name in names] if names else [each.network for each in live.values()]
        about = [network for network in about if device_name.is_safe(network.bridge)]
        subnets = subnets_of(each.network for each in live.values())
        self.scope = scope_of(about, configuration.routed_ips, subnets) if names else Scope(subnets=subnets)
        self.up: list[Network] = [
            network for network in about if live[network.name].is_active and device.exists(network.bridge)
        ]

    def say_what_is_odd(self) -> None:
        """Files that are not read, and lines of this run that cannot be put in force whatever is applied."""
        say_what_is_not_read(self.configuration)
        for line in self.configuration.routed_ips:
            if self._names and line.network not in self._names:
                continue
            if line.network not in self.live:
                print(f"nethook: waiting: {no_such_network(line, self.live)}", file=sys.stderr)
            elif why := unusable(self.live[line.network].network):
                print(f"nethook: blocked: {one_line(f'{line.place}: {why}')}", file=sys.stderr)

    @property
    def others(self) -> Others:
        """What looks at others' routes and rules on the bridges."""
        return Others({network.bridge for network in self.up})


def situation(configuration: Configuration, names: Sequence[str] = ()) -> Situation:
    """The situation now. ``names``: the libvirt networks that the run is about; none: everything.

    LibvirtError if libvirt cannot be asked, NethookError if it has no such network.
    """
    live = live_networks()
    for name in names:
        if name not in live:
            advice = suggestion(name, sorted(live)) if live else "it has none at all"
            raise NethookError(one_line(f"libvirt has no network {name}: {advice}"))
    return Situation(configuration, live, names)


def limited_tools() -> Tools:
    """Return what runs programs for a verb, with its deadline."""
    return Tools(SECONDS, SECONDS_PER_ADDRESS)


def unusable(network: Network) -> str:
    """Why nothing can ever be routed to this network; '' if it can."""
    if not network.bridge:
        return f"network {network.name} has no bridge (forward mode {network.forward_mode})"
    if not device_name.is_safe(network.bridge):
        return (
            f"the name of the bridge of network {network.name} cannot be used in rules and routes: {network.bridge!r}"
        )
    return ""


def say_what_is_not_read(configuration: Configuration) -> None:
    """A file that was written although another one comes before it."""
    if configuration.settings.routed_ips is None:
        for path in places(ROUTED_IPS_FILES)[1:]:
            print(f"nethook: {path} is not read, because {places(ROUTED_IPS_FILES)[0]} is there", file=sys.stderr)


def require_root(what: str) -> None:
    """NethookError for who is not root; ``what`` says what root is needed for."""
    if os.geteuid() != 0:
        raise NethookError(f"only root can {what}: try it with sudo")
