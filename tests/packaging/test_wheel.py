"""What pip installs besides the package."""

from __future__ import annotations

from zipfile import ZipFile

from lab.hosts.program import built_wheel

WANTED = {
    "share/man/man5/nethook.conf.5",
    "share/man/man5/forwarded-ports.5",
    "share/man/man5/routed-ips.5",
    "share/man/man8/nethook.8",
    "share/bash-completion/completions/nethook",
    "share/zsh/site-functions/_nethook",
    "share/fish/vendor_completions.d/nethook.fish",
}


FORMER_PACKAGES = {"net", "steps"}
"""Folders of former versions. A build in the same checkout may still have them, and Python prefers them to a module."""


def test_no_module_is_hidden_by_what_an_older_build_has_left() -> None:
    with ZipFile(built_wheel()) as wheel:
        modules = {name for name in wheel.namelist() if name.startswith("nethook/") and name.count("/") == 1}
    assert {"nethook/hook.py", "nethook/prefix.py"} <= modules
    assert modules.isdisjoint(f"nethook/{name}.py" for name in FORMER_PACKAGES)


def test_manual_and_completions_go_to_where_man_and_shells_look() -> None:
    with ZipFile(built_wheel()) as wheel:
        names = {name.partition(".data/data/")[2] for name in wheel.namelist()}
    assert names - {""} == WANTED
