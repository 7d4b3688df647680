"""The root file systems that hosts boot from, one per Debian suite, each with another libvirt.

And that of a guest, and the one in which packages are built.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lab.hosts.cache import cached
from lab.processes import run

SUITES = {
    "bookworm": "libvirt 9.0: iptables backend only",
    "trixie": "libvirt 11.3: both backends, iptables by default",
    "forky": "libvirt 12.8: both backends, iptables by default",
}

PACKAGES = ",".join(
    [
        "systemd,systemd-sysv,dbus,procps,kmod",
        "libvirt-daemon-system,libvirt-daemon-driver-qemu,libvirt-clients,qemu-system-x86,dnsmasq-base",
        "nftables,iptables,iproute2,conntrack,ipset,firewalld,ufw",
        "python3,python3-pip,python3-libvirt,python3-apt",
        "tcpdump,curl,iputils-ping,rpm",
    ]
)

# Everything that configures the network of a Debian guest, and busybox, whose ifup is Alpine's. Side by side: a test
# starts one at a time. ifupdown-ng, which newer Alpine has, would replace ifupdown: it is unpacked into a folder.
# The DHCP client is the one that the suite's installer takes for ifupdown.
GUEST = "debian-guest"
GUEST_PACKAGES = ",".join(
    [
        "systemd,systemd-sysv,dbus,procps,kmod,udev",
        "netplan.io,ifupdown,network-manager,cloud-init",
        "busybox,iproute2,iputils-ping,python3,curl",
    ]
)
DHCP_CLIENTS = {"bookworm": "isc-dhcp-client", "trixie": "dhcpcd-base"}
IFUPDOWN_NG = "/opt/ifupdown-ng"
GUEST_SERVICES = [
    "NetworkManager.service",
    "NetworkManager-wait-online.service",
    "networking.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "cloud-init-local.service",
    "cloud-init.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-config.service",
    "cloud-final.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
]

# What builds and checks packages of distributions: the oldest tools that Debian supports, of both formats. The last
# ones are what our own package depends on.
BUILD = "build"
BUILD_SUITE = "bookworm"
BUILD_PACKAGES = ",".join(
    [
        "build-essential,debhelper,dh-python,python3-build,python3-setuptools,python3-wheel",
        "rpm,lintian,rpmlint,shellcheck",
        "nftables,iproute2",
    ]
)


class Layer(NamedTuple):
    """Packages on the root of a suite, for hosts that need them. The disabled services start only when asked."""

    name: str
    packages: Sequence[str]
    disabled: Sequence[str] = ()


ROUTING = Layer("routing", ["bird2", "frr"], ["bird.service", "frr.service"])
COCKPIT = Layer("cockpit", ["cockpit-ws", "cockpit-bridge", "cockpit-system", "sudo"])
"""With sudo, by which somebody becomes root there."""

# Arguments: the root below, the folder for the layer, a folder for mounts, the packages. No daemon starts in there.
BUILD_LAYER = """
mkdir "$2/layer" "$2/scratch"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/layer,workdir=$2/scratch" "$3"
mount -t proc proc "$3/proc"
cp /etc/resolv.conf "$3/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$3/usr/sbin/policy-rc.d"
chmod 755 "$3/usr/sbin/policy-rc.d"
there="$3"
shift 3
apt="chroot $there env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Check-Valid-Until=false"
$apt update
$apt install --yes --no-install-recommends "$@"
$apt clean
rm -rf "$there"/var/lib/apt/lists/* "$there/usr/sbin/policy-rc.d"
"""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Installed everywhere, running only where a test asks for it; hosts get their addresses from the lab.
DISABLED_SERVICES = ["firewalld.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer"]


def root(suite: str) -> Path:
    """The root of `suite`, built (30 to 60 s) when the cache does not have it. Never write into it."""
    hook = f"systemctl --root=$1 disable {' '.join(DISABLED_SERVICES)}"
    recipe = " ".join([suite, PACKAGES, *DISABLED_SERVICES])
    return cached(suite, recipe, lambda folder: _bootstrap(suite, PACKAGES, [hook], folder))


def layered_root(suite: str, layer: Layer) -> str:
    """The root of `suite` with a layer on it: both, as overlayfs takes them."""
    below = root(suite)
    recipe = " ".join([below.name, *layer.packages, *layer.disabled, BUILD_LAYER])

    def build(folder: Path) -> None:
        with TemporaryDirectory(prefix="nethook-root-") as mounts:
            disable = f'systemctl --root="$there" disable {" ".join(layer.disabled)}' if layer.disabled else ""
            apart = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-ec"]
            run([*apart, f"{BUILD_LAYER}\n{disable}", "sh", below, folder, mounts, *layer.packages], timeout=1200)
        shutil.rmtree(folder / "scratch")

    return f"{cached(f'{suite}-{layer.name}', recipe, build) / 'layer'}:{below}"


def guest_root(suite: str) -> Path:
    """The root of a Debian guest with all that can configure its network, none of which starts by itself."""
    packages = f"{GUEST_PACKAGES},{DHCP_CLIENTS[suite]}"
    mask = f"systemctl --root=$1 mask {' '.join(GUEST_SERVICES)}"
    download = "cd /tmp && apt-get download -qq ifupdown-ng"
    unpack = f"dpkg -x ifupdown-ng_*.deb {IFUPDOWN_NG} && rm ifupdown-ng_*"
    hooks = [mask, f'chroot "$1" sh -c "{download} && {unpack}"']
    recipe = " ".join([suite, packages, *hooks])
    return cached(f"{GUEST}-{suite}", recipe, lambda folder: _bootstrap(suite, packages, hooks, folder))


def build_root() -> Path:
    """The root in which packages of distributions are built and checked."""
    recipe = " ".join([BUILD_SUITE, BUILD_PACKAGES])
    return cached(BUILD, recipe, lambda folder: _bootstrap(BUILD_SUITE, BUILD_PACKAGES, [], folder))


def _bootstrap(suite: str, packages: str, hooks: Sequence[str], folder: Path) -> None:
    # In a mount namespace, so that a killed build leaves no mount in the folder that the next one deletes.
    # The mirror may be a frozen copy whose validity has run out; its signature is checked all the same.
    mmdebstrap = ["unshare", "--mount", "mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io"]
    options = [
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={packages}",
        *(f"--customize-hook={hook}" for hook in hooks),
    ]
    source = f"deb [signed-by={KEYRING}] {_mirror()} {suite} main"
    run([*mmdebstrap, *options, suite, folder, source], timeout=1200)


def _mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    targets = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    ).stdout.split()
    if not targets:
        raise RuntimeError("apt knows no Debian mirror: is this a Debian machine, and was `apt-get update` run?")
    return targets[0]
