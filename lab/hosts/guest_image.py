"""Kernel and initramfs of the test guests: Debian's cloud kernel, a static busybox, guest_files, frames.c and fetch.c.

Without KVM a guest's processor is emulated, and starting is what guests of tests do most. So everything is done here
that can be done once, and not at each start: the kernel is unpacked, modules have no signatures to check.
"""

import lzma
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from lab.hosts.cache import cached
from lab.processes import run

FILES = Path(__file__).with_name("guest_files")
BUSYBOX = Path("/bin/busybox")
PROGRAMS = [Path(__file__).with_name(f"{name}.c") for name in ("frames", "fetch")]
COMPILE = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Os", "-static", "-s"]

KERNEL_OPTIONS = [
    "console=ttyS0 quiet",
    # what takes long on an emulated processor, and what no test asks for:
    "mitigations=off",
    "cryptomgr.notests",
    "noreplace-smp",  # patching locks away takes longer than they do
    "acpi=noirq",  # the ways of interrupts, which ACPI's methods work out; NICs are plugged by ACPI all the same
]

# By the first bytes: what unpacks the kernels of Debian 12 and of Debian 13.
UNPACKERS = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}

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
    files = [file.read_text() for file in sorted(FILES.rglob("*")) if file.is_file()]
    sources = [program.read_text() for program in PROGRAMS]
    recipe = " ".join([*files, *sources, *COMPILE, *MODULES])
    return GuestImage(cached("guest", recipe, _build))


def _build(folder: Path) -> None:
    package = folder / "package"
    _download_kernel(package)
    _unpack_kernel(next(package.glob("boot/vmlinuz-*")), folder / "kernel")

    tree = folder / "tree"
    shutil.copytree(FILES, tree)
    for name in ("modules", "proc", "sys", "dev", "tmp"):
        (tree / name).mkdir()
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    for applet in {*run([BUSYBOX, "--list"]).stdout.split()} - {"busybox"}:
        (tree / "bin" / applet).symlink_to("busybox")
    for program in PROGRAMS:
        run([*COMPILE, "-o", folder / program.stem, program])
        shutil.copy(folder / program.stem, tree / "bin" / program.stem)
    modules = [module for module in MODULES if _copy_module(package, module, tree / "modules")]
    (tree / "modules/order").write_text("".join(f"{module}.ko\n" for module in modules))
    run(["sh", "-ec", 'cd "$0"; find . | cpio --quiet -o -H newc >"$1"', tree, folder / "initramfs"])

    shutil.rmtree(package)
    shutil.rmtree(tree)


def _download_kernel(folder: Path) -> None:
    """Unpack the package of the kernel that the metapackage linux-image-cloud-amd64 depends on."""
    folder.mkdir()
    depends = run(["apt-cache", "depends", "--important", "linux-image-cloud-amd64"]).stdout
    name = depends.split("Depends:")[1].split()[0]
    run(["sh", "-ec", 'cd "$0"; apt-get download -qq "$1"; dpkg -x ./*.deb .', folder, name], timeout=300)


def _unpack_kernel(source: Path, target: Path) -> None:
    """The ELF file in a bzImage, which QEMU starts at its PVH entry (the kernel's Documentation/x86/boot.rst)."""
    image = source.read_bytes()
    setup_sectors = image[0x1F1]
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = 512 * (setup_sectors + 1) + offset
    payload = image[start : start + length - 4]  # behind it is the size that it unpacks to
    packed = target.with_suffix(".packed")
    packed.write_bytes(payload)
    run(["sh", "-ec", '"$0" -dc <"$1" >"$2"', UNPACKERS[payload[:4]], packed, target])
    packed.unlink()


def _copy_module(package: Path, module: str, target: Path) -> bool:
    """Copy it without its signature, as plain as busybox wants it; False when it is built into the kernel."""
    source = next(package.glob(f"**/{module}.ko*"), None)
    if source is None:
        return False
    content = source.read_bytes()
    copy = target / f"{module}.ko"
    copy.write_bytes(lzma.decompress(content) if source.suffix == ".xz" else content)
    run(["strip", "--strip-debug", copy])
    return True
