"""The packages of distributions: what is in them, what checkers say, and what their scripts do in a clean root."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.packages.builds import SUMS, release, released_here
from lab.packages.clean_root import run_there
from lab.packages.page import build_page
from lab.packages.page import built as page_built
from lab.packages.sources import DEBIAN, NAME, REPOSITORY, SPEC
from lab.processes import run
from nethook import __version__
from nethook.gates.firewalld.files import PACKAGED
from nethook.install.package import DISTRIBUTED, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

HOOK = "/etc/libvirt/hooks/network.d/50-nethook"
CLEARING = "/run/nethook-clear.pyz"
CODE = {
    f"{DISTRIBUTED}/nethook/{path.relative_to(PACKAGE)}"
    for path in PACKAGE.rglob("*")
    if path.is_file() and path.suffix != ".pyc" and "fake" not in path.parts
}
STUB = f"{DISTRIBUTED}/nethook/lv-setup-routed-ips"
PROGRAMS = {"/usr/bin/nethook", f"{DISTRIBUTED}/maintain", STUB}
MANUAL = {
    *(f"/usr/share/man/man5/{page}.5" for page in ("forwarded-ports", "nethook.conf", "routed-ips")),
    "/usr/share/man/man8/nethook.8",
}
BOTH = {
    *CODE,
    *PROGRAMS,
    "/usr/lib/systemd/system/nethook.service",
    *(f"{PACKAGED}/ipsets/{name}.xml" for name in ("nethook4", "nethook6", "nethook-private4", "nethook-private6")),
    f"{PACKAGED}/policies/00-nethook.xml",
    "/usr/share/bash-completion/completions/nethook",
    "/usr/share/fish/vendor_completions.d/nethook.fish",
}
DEB = {
    *BOTH,
    *(f"{page}.gz" for page in MANUAL),
    "/usr/share/zsh/vendor-completions/_nethook",
    f"/usr/share/python3/runtime.d/{NAME}.rtupdate",
    f"/usr/share/lintian/overrides/{NAME}",
}
RPM = {
    *BOTH,
    *MANUAL,
    "/usr/share/zsh/site-functions/_nethook",
    "/usr/lib/systemd/system-preset/80-nethook.preset",
    HOOK,  # a ghost: rpm knows whose it is
}
DOCUMENTATION = ("/usr/share/doc/", "/usr/share/licenses/")


@pytest.fixture(scope="module")
def built() -> Path:
    return released_here()


def deb(folder: Path) -> Path:
    return folder / f"{NAME}_{__version__}-1_all.deb"


def rpm(folder: Path) -> Path:
    return folder / f"{NAME}-{__version__}-1.noarch.rpm"


def test_the_version_is_the_same_everywhere() -> None:
    texts = {
        path: (REPOSITORY / path).read_text(encoding="utf-8") for path in (f"{DEBIAN}/changelog", SPEC, "CHANGELOG.md")
    }
    debian, spec, ours = texts.values()
    assert debian.startswith(f"{NAME} ({__version__}-1) ")
    assert re.findall(r"^Version: +(.*)$", spec, flags=re.MULTILINE) == [__version__]
    assert re.findall(r"^\* .* - (.*)$", spec, flags=re.MULTILINE)[0] == f"{__version__}-1"
    assert re.findall(r"^## (\S+)", ours, flags=re.MULTILINE)[0] == __version__


def listed(lines: list[tuple[str, str, str]]) -> dict[str, set[str]]:
    """Paths by their mode and owner, without documentation and folders, all of which root owns."""
    found: dict[str, set[str]] = {}
    for mode, owner, path in lines:
        assert owner == "root"
        if not path.startswith(DOCUMENTATION) and not mode.startswith("d"):
            found.setdefault(mode, set()).add(path)
    return found


def test_what_is_in_the_deb(built: Path) -> None:
    lines = [line.split() for line in run(["dpkg-deb", "--contents", deb(built)]).stdout.splitlines()]
    found = listed([(words[0], words[1].removesuffix("/root"), words[5].lstrip(".")) for words in lines])
    executable = PROGRAMS | {f"/usr/share/python3/runtime.d/{NAME}.rtupdate"}
    assert found == {"-rwxr-xr-x": executable, "-rw-r--r--": DEB - executable}


def test_what_is_in_the_rpm(built: Path, tmp_path: Path) -> None:
    shutil.copy(rpm(built), tmp_path)
    form = r"[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]"
    lines = run_there(f"rpm --query --package --queryformat '{form}' *.rpm", tmp_path).stdout.splitlines()
    found = listed([(mode, owner, path) for mode, owner, path in map(str.split, lines)])
    assert found == {"-rwxr-xr-x": PROGRAMS | {HOOK}, "-rw-r--r--": RPM - PROGRAMS - {HOOK}}


def test_the_page_is_a_package_of_its_own(built: Path, tmp_path: Path) -> None:
    page = {f"/usr/share/cockpit/nethook/{path.name}" for path in (page_built() / "page").iterdir()}
    assert {Path(name).name for name in page} >= {
        "index.html",
        "manifest.json",
        "nethook.js",
        "nethook.css",
        "po.de.js",
    }
    packages = {f"cockpit-nethook_{__version__}-1_all.deb", f"cockpit-nethook-{__version__}-1.noarch.rpm"}
    for name in packages:
        shutil.copy(built / name, tmp_path)
    for command in ("dpkg-deb --contents *.deb", "rpm --query --package --list *.rpm"):
        paths = [line.split()[-1].lstrip(".") for line in run_there(command, tmp_path).stdout.splitlines()]
        files = {path for path in paths if path.startswith("/usr/share/cockpit/nethook/") and path[-1] != "/"}
        assert files == page


def test_two_builds_of_the_page_are_equal(tmp_path: Path) -> None:
    build_page(tmp_path)
    made, before = tmp_path / "page", page_built() / "page"
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in before.iterdir()
    }


def test_lintian_has_nothing_to_say(built: Path) -> None:
    assert (built / "lintian.txt").read_text(encoding="utf-8") == ""


def test_rpmlint_finds_no_error(built: Path) -> None:
    said = (built / "rpmlint.txt").read_text(encoding="utf-8")
    assert " 2 packages and 1 specfiles checked; 0 errors, " in said
    assert " E: " not in said


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    scripts = [path for path in (REPOSITORY / DEBIAN).iterdir() if path.suffix in {".postinst", ".prerm", ".postrm"}]
    assert len(scripts) == 3
    for path in scripts:
        shutil.copy(path, tmp_path)
    assert run_there("shellcheck --severity=style *", tmp_path).stdout == ""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def test_two_builds_are_equal(built: Path, tmp_path: Path) -> None:
    with umask(0o027):
        release(tmp_path)
    assert (tmp_path / SUMS).read_text(encoding="ascii") == (built / SUMS).read_text(encoding="ascii")
    names = [line.split()[1] for line in (built / SUMS).read_text(encoding="ascii").splitlines()]
    assert [Path(name).suffix for name in names] == [".rpm", ".deb", ".rpm", ".deb", ".whl", ".gz"]


# What libvirt's daemon is to an installation: a program that has a version.
LIBVIRTD = "printf '#!/bin/sh\\necho \"libvirtd (libvirt) 9.0.0\"\\n' >usr/sbin/libvirtd; chmod 755 usr/sbin/libvirtd"
FAKE_DEB = f"""
mkdir -p fake/DEBIAN fake/usr/sbin
(cd fake; {LIBVIRTD})
cat >fake/DEBIAN/control <<END
Package: libvirt-daemon
Version: 9
Architecture: all
Maintainer: x
Description: x
END
dpkg-deb --build fake fake.deb >/dev/null
"""
FAKE_RPMS = f"""
fake_rpm() {{ # name, version, the one file in it
    cat >fake.spec <<END
Name: $1
Version: $2
Release: 1
Summary: x
License: x
BuildArch: noarch
%description
%install
cp -r %{{_sourcedir}}/top/. %{{buildroot}}
%files
$3
END
    rpmbuild -bb --quiet --define "_sourcedir $PWD" --define "_rpmdir $PWD" fake.spec >/dev/null 2>&1
}}
mkdir -p top/usr/sbin
(cd top; {LIBVIRTD})
fake_rpm libvirt-daemon 9 /usr/sbin/libvirtd
"""
SYSTEMCTL = r"""
printf '#!/bin/sh\necho "systemctl $*"\n' >/usr/bin/systemctl
chmod 755 /usr/bin/systemctl
"""
FOOTPRINT = r"""
footprint() {
    find / \( -path /proc -o -path /build -o -path /tmp -o -path /var/log -o -path /var/lib/dpkg -o -path /var/cache \
        -o -path /var/lib/rpm -o -path /root \) -prune -o -printf '%p %m %l\n' | sort
}
there() { for each; do [ -e "$each" ] && echo "there: $each" || echo "not there: $each"; done; }
"""


def test_the_deb_waits_for_libvirt_and_leaves_nothing(built: Path, tmp_path: Path) -> None:
    shutil.copy(deb(built), tmp_path / "ours.deb")
    script = f"""
    footprint >before
    dpkg --install ours.deb
    there {HOOK} /usr/bin/nethook
    dpkg --install fake.deb
    there {HOOK}
    grep ^packages= {HOOK}
    mkdir /etc/nethook /etc/default/routed-ips.d; touch /etc/nethook/nethook.conf /etc/default/routed-ips
    dpkg --remove {NAME}
    there {HOOK} {CLEARING} /etc/default/routed-ips
    dpkg --purge {NAME} libvirt-daemon
    footprint | diff before -
    echo nothing is left
    """
    said = run_there(FAKE_DEB + FOOTPRINT + script, tmp_path).stdout
    in_order = [
        "nethook: libvirt's daemon is not installed; the hook will be written when it is",
        *(f"not there: {HOOK}", "there: /usr/bin/nethook"),
        *(f"+ {HOOK}", f"there: {HOOK}", f"packages={DISTRIBUTED}", f"- {HOOK}"),
        *(f"not there: {HOOK}", f"there: {CLEARING}", "there: /etc/default/routed-ips"),
        "nothing is left",
    ]
    assert [line for line in said.splitlines() if line in in_order] == in_order, said


def test_a_foreign_hook_does_not_make_the_installation_fail(built: Path, tmp_path: Path) -> None:
    shutil.copy(deb(built), tmp_path / "ours.deb")
    script = f"""
    mkdir -p {Path(HOOK).parent}; echo '#!/bin/sh' >{HOOK}
    dpkg --install fake.deb ours.deb
    dpkg --remove {NAME}
    cat {HOOK}
    """
    said = run_there(FAKE_DEB + script, tmp_path).stdout
    assert f"nethook: {HOOK} is a foreign hook; give it another name" in said
    assert "nethook: libvirt may not run the hook yet; when that is corrected, run `nethook install`" in said
    assert said.endswith("#!/bin/sh\n")


SELINUX = """
selinux() {
    mkdir -p /sys/fs/selinux/booleans
    echo 1 >/sys/fs/selinux/enforce
    echo "$1 $1" >/sys/fs/selinux/booleans/virt_hooks_unconfined
}
"""
REFUSED = "nethook: SELinux does not let libvirt run hooks, so no network would start any more; "


def test_the_rpm_waits_for_libvirt_and_for_selinux(built: Path, tmp_path: Path) -> None:
    shutil.copy(rpm(built), tmp_path / "ours.rpm")
    script = f"""
    rpm --initdb
    mkdir -p /usr/lib/systemd/system-preset /usr/share/licenses  # of packages that every such system has
    footprint >before
    selinux 0
    rpm --install --nodeps ours.rpm
    rpm --install --nodeps noarch/*.rpm
    there {HOOK}
    selinux 1
    nethook install
    there {HOOK}
    rpm --verify {NAME} --nodeps --nomtime
    echo verified
    rpm --erase {NAME}
    there {HOOK} {DISTRIBUTED} {CLEARING}
    rm /sys/fs/selinux/booleans/virt_hooks_unconfined
    rpm --install --nodeps ours.rpm
    there {HOOK} {CLEARING}
    rpm --erase {NAME} libvirt-daemon
    rm -r {CLEARING} /sys/fs /etc/libvirt
    footprint | diff before -
    echo nothing is left
    """
    said = run_there(FAKE_RPMS + SYSTEMCTL + FOOTPRINT + SELINUX + script, tmp_path, check=False).stdout
    in_order = [
        "nethook: libvirt's daemon is not installed; the hook will be written when it is",
        *(f"{REFUSED}run: setsebool -P virt_hooks_unconfined on", f"not there: {HOOK}"),
        *(f"+ {HOOK}", f"there: {HOOK}", "verified", f"- {HOOK}"),
        *(f"not there: {HOOK}", f"not there: {DISTRIBUTED}", f"there: {CLEARING}"),
        *(f"+ {HOOK}", f"there: {HOOK}", f"not there: {CLEARING}", f"- {HOOK}", "nothing is left"),
    ]
    assert [line for line in said.splitlines() if line in in_order] == in_order, said


def test_the_rpm_of_release_0_6_is_upgraded(built: Path, tmp_path: Path) -> None:
    shutil.copy(rpm(built), tmp_path / "ours.rpm")
    script = f"""
    rpm --initdb
    rm -r top; mkdir -p top/usr/bin; echo >top/usr/bin/lv-setup-routed-ips
    fake_rpm {NAME} 0.6 /usr/bin/lv-setup-routed-ips
    rpm --install --nodeps noarch/*.rpm
    mkdir -p /etc/libvirt/hooks; ln -s /usr/bin/lv-setup-routed-ips /etc/libvirt/hooks/network
    rpm --upgrade --nodeps ours.rpm
    there {HOOK} /usr/bin/lv-setup-routed-ips /etc/libvirt/hooks/network
    rpm --query {NAME}
    """
    said = run_there(FAKE_RPMS + SYSTEMCTL + FOOTPRINT + script, tmp_path).stdout
    in_order = [
        *(f"+ {HOOK}", "- /etc/libvirt/hooks/network", "systemctl preset nethook.service", f"there: {HOOK}"),
        *("not there: /usr/bin/lv-setup-routed-ips", "not there: /etc/libvirt/hooks/network"),
        f"{NAME}-{__version__}-1.noarch",
    ]
    assert [line for line in said.splitlines() if line in in_order] == in_order, said
