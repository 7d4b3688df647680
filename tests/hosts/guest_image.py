"""Kernel and initramfs of the test guests: Debian's cloud kernel, a static busybox, guest_init.sh and frames.c."""

import lzma
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.cache import cached
from tests.hosts.processes import run

INIT = Path(__file__).with_name("guest_init.sh")
BUSYBOX = Path("/bin/busybox")
FRAMES = Path(__file__).with_name("frames.c")
COMPILE = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Os", "-static"]

# In the order in which they have to be loaded.
MODULES = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_console",
]


@dataclass(frozen=True)
class GuestImage:
    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"

    @property
    def frames(self) -> Path:
        """frames.c, compiled: guests have it, and hosts and the outside can run it as well."""
        return self.folder / "frames"


def guest_image() -> GuestImage:
    """The image, built (5 s and a download of 30 MB) when the cache does not have it."""
    recipe = " ".join([INIT.read_text(), FRAMES.read_text(), *COMPILE, *MODULES])
    return GuestImage(cached("guest", recipe, _build))


def _build(folder: Path) -> None:
    package = folder / "package"
    _unpack_kernel(package)
    shutil.copy(next(package.glob("boot/vmlinuz-*")), folder / "kernel")

    tree = folder / "tree"
    for name in ("bin", "modules", "proc", "sys", "dev"):
        (tree / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    run([*COMPILE, "-o", folder / "frames", FRAMES])
    shutil.copy(folder / "frames", tree / "bin/frames")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    for module in MODULES:
        _copy_module(package, module, tree / "modules")
    (tree / "modules/order").write_text("".join(f"{module}.ko\n" for module in MODULES))
    run(["sh", "-ec", 'cd "$0"; find . | cpio --quiet -o -H newc | gzip -1 >"$1"', tree, folder / "initramfs"])

    shutil.rmtree(package)
    shutil.rmtree(tree)


def _unpack_kernel(folder: Path) -> None:
    """Unpack the kernel that the metapackage linux-image-cloud-amd64 depends on."""
    folder.mkdir()
    depends = run(["apt-cache", "depends", "--important", "linux-image-cloud-amd64"]).stdout
    name = depends.split("Depends:")[1].split()[0]
    run(["sh", "-ec", 'cd "$0"; apt-get download -qq "$1"; dpkg -x ./*.deb .', folder, name], timeout=300)


def _copy_module(package: Path, module: str, target: Path) -> None:
    """Modules are plain or xz-compressed, as the kernel's packager chose; busybox loads plain ones."""
    source = next(package.glob(f"**/{module}.ko*"))
    content = source.read_bytes()
    (target / f"{module}.ko").write_bytes(lzma.decompress(content) if source.suffix == ".xz" else content)
