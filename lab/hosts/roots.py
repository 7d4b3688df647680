"""The root file systems that hosts boot from, one per Debian suite, each with another libvirt; and one of a guest."""

from collections.abc import Sequence
from pathlib import Path

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
        "python3,python3-pip,python3-libvirt",
        "tcpdump,curl,iputils-ping",
    ]
)

# Everything that configures the network of a Debian guest, and busybox, whose ifup is Alpine's. Side by side: a test
# starts one at a time. ifupdown-ng, which newer Alpine has, would replace ifupdown: it is unpacked into a folder.
GUEST = "debian-guest"
GUEST_PACKAGES = ",".join(
    [
        "systemd,systemd-sysv,dbus,procps,kmod,udev",
        "netplan.io,ifupdown,dhcpcd-base,network-manager,cloud-init",
        "busybox,iproute2,iputils-ping,python3,curl",
    ]
)
IFUPDOWN_NG = "/opt/ifupdown-ng"
GUEST_SERVICES = [
    "NetworkManager.service",
    "NetworkManager-wait-online.service",
    "networking.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "cloud-init-local.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-config.service",
    "cloud-final.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
]

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Installed everywhere, running only where a test asks for it; hosts get their addresses from the lab.
DISABLED_SERVICES = ["firewalld.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer"]


def root(suite: str) -> Path:
    """The root of `suite`, built (30 to 60 s) when the cache does not have it. Never write into it."""
    hook = f"systemctl --root=$1 disable {' '.join(DISABLED_SERVICES)}"
    recipe = " ".join([suite, PACKAGES, *DISABLED_SERVICES])
    return cached(suite, recipe, lambda folder: _bootstrap(suite, PACKAGES, [hook], folder))


def guest_root() -> Path:
    """The root of a Debian guest with all that can configure its network, none of which starts by itself."""
    mask = f"systemctl --root=$1 mask {' '.join(GUEST_SERVICES)}"
    download = "cd /tmp && apt-get download -qq ifupdown-ng"
    unpack = f"dpkg -x ifupdown-ng_*.deb {IFUPDOWN_NG} && rm ifupdown-ng_*"
    hooks = [mask, f'chroot "$1" sh -c "{download} && {unpack}"']
    recipe = " ".join([GUEST_PACKAGES, *hooks])
    return cached(GUEST, recipe, lambda folder: _bootstrap("trixie", GUEST_PACKAGES, hooks, folder))


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
