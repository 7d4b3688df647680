"""Real kernel, real tools: what is missing fails, because a skipped test looks like a passed one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.world import World
from tests.kernel.forwarded_guests import Forwarding
from tests.kernel.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator


TOOLS = (
    *("ip", "nft", "conntrack", "unshare", "nsenter", "mount", "flock", "timeout", "logger", "/usr/bin/python3"),
    *(f"{tool}-{variant}" for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")),
)


@pytest.fixture(scope="session", autouse=True)
def equipment() -> None:
    """What every test here needs."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    assert not missing, f"not installed: {', '.join(missing)}"
    assert os.geteuid() == 0, "these tests make namespaces, which takes root"


@pytest.fixture(params=FIREWALLS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for each of libvirt's firewalls."""
    made = World(FIREWALLS[request.param])
    yield made
    made.close()


@pytest.fixture
def nftables_world() -> Iterator[World]:
    """A world with libvirt's nftables backend, for what has nothing to do with the firewall of others."""
    made = World(FIREWALLS["libvirt-nftables"])
    yield made
    made.close()


@pytest.fixture
def here(world: World) -> Iterator[Forwarding]:
    """A host that forwards, for each of libvirt's firewalls."""
    made = Forwarding(world)
    yield made
    made.close()


@pytest.fixture
def plain(nftables_world: World) -> Iterator[Forwarding]:
    """For what has nothing to do with the firewall of others."""
    made = Forwarding(nftables_world)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service_host() -> Iterator[Watched]:
    """A world with the service, one for all tests of a module: each leaves it as it was."""
    made = Watched()
    yield made
    made.world.close()
