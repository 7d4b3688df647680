"""Tools that fail: in the place of a real one stands a script that fails at a chosen call and else runs the real one.

Only the host of the test sees it, because the host has a ``/usr`` of its own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import nethook
from lab.world.hook_process import HOOK
from nethook.install.package import stub

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.world.machine import Machine

EVERY_CALL = 0


def _refuses(what: str, said: str) -> str:
    """For an nft that does not know this, and says so."""
    return f"""input=$(cat)
case "$input" in *'{what}'*) echo 'Error: {said}' >&2; exit 1; esac
printf '%s\\n' "$input" | "$real" "$@"
exit
"""


TOOLS = ("nft", "ip", "iptables-nft", "iptables-nft-restore", "ip6tables-nft", "ip6tables-nft-restore")
KINDS = {
    "exit 1": "echo injected failure >&2; exit 1",
    "garbage": r"printf 'lorem ipsum\n\377\000 dolor } sit {\namet\n'; exit 0",
    "hang": "exec sleep 1000",
    "kill -9 before": "kill -9 $PPID; exit 1",
    "kill -9 after": 'kill -9 $PPID; exec "$real" "$@"',
    "kill -9 when it has written": 'case "$*" in *-f*) "$real" "$@"; kill -9 $PPID; exit 1; esac; exec "$real" "$@"',
    "exit 1 if it writes": 'case "$*" in *-f*) echo injected failure >&2; exit 1; esac; exec "$real" "$@"',
    "no tables for ARP": _refuses("table arp ", "Could not process rule: Operation not supported"),
    "too old to bind": _refuses(
        "typeof ether saddr . @th", "can not use variable sized data types (integer) in concat expressions"
    ),
    "nothing": 'exec "$real" "$@"',
}

_PROGRAM = "/usr/lib/nethook-other"
_REAL = "/usr/libexec/nethook-test"
_CALLS = "/mnt/calls"
# A folder is made or not made, never both: so calls at the same time get different numbers.
_SCRIPT = """#!/bin/sh
real={real}/${{0##*/}}
echo ${{0##*/}} >>{calls}/log
number=1
until mkdir {calls}/$number 2>/dev/null; do number=$((number + 1)); done
[ {call} -eq 0 ] || [ $number -eq {call} ] || exec "$real" "$@"
: >{calls}/hit
{fault}
"""

_PUT_AWAY = f"""
mkdir -p {_REAL} {_CALLS}
script=$1
shift
for tool; do
    path=/usr/sbin/$tool
    target=$(readlink -f $path)
    if [ $target = $path ]; then mv $path {_REAL}; else ln -s $target {_REAL}/$tool; rm $path; fi
    printf '%s' "$script" >$path
    chmod 755 $path
done
"""
_PUT_BACK = f"""
for tool; do mv -f {_REAL}/$tool /usr/sbin; done
rm -r {_CALLS} {_REAL}
"""
"""Shell scripts with the tools as their arguments: one process for all of them."""


class Fault:
    """A fault of these tools, at their call number ``call``, counted together from 1; or at EVERY_CALL."""

    def __init__(self, machine: Machine, tools: Iterable[str], kind: str, call: int = EVERY_CALL) -> None:
        self._machine = machine
        self._tools = list(tools)
        self._calls = machine.root / _CALLS.lstrip("/")
        script = _SCRIPT.format(real=_REAL, calls=_CALLS, call=call, fault=KINDS[kind])
        machine.run("sh", "-ec", _PUT_AWAY, "sh", script, *self._tools)

    @property
    def was_hit(self) -> bool:
        """Whether it came to the call that fails."""
        return (self._calls / "hit").exists()

    @property
    def calls(self) -> Counter[str]:
        """How often each tool was called."""
        log = self._calls / "log"
        return Counter(log.read_text(encoding="ascii").split() if log.exists() else ())

    def mend(self) -> None:
        """Put the real tools back."""
        self._machine.run("sh", "-ec", _PUT_BACK, "sh", *self._tools)


class Missing:
    """A tool that is not installed."""

    def __init__(self, machine: Machine, tool: str) -> None:
        self._machine = machine
        self._paths = [f"/usr/{folder}/{tool}" for folder in ("sbin", "bin")]
        for path in self._paths:
            _move(machine, path, f"{path}.away")

    def mend(self) -> None:
        """Install it."""
        for path in self._paths:
            _move(self._machine, f"{path}.away", path)


class OtherProgram:
    """The hook with another text in one place of the program."""

    def __init__(self, machine: Machine, file: str, text: str, other: str) -> None:
        self._machine = machine
        self._stub = (machine.root / HOOK.lstrip("/")).read_text(encoding="utf-8")
        package = machine.root / _PROGRAM.lstrip("/") / "nethook"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(Path(nethook.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        module = package / file
        before = module.read_text(encoding="utf-8")
        assert before.count(text) == 1
        module.write_text(before.replace(text, other), encoding="utf-8")
        machine.write(HOOK, stub("/usr/bin/python3", _PROGRAM), 0o755)

    def mend(self) -> None:
        """Put the program's own hook back."""
        self._machine.write(HOOK, self._stub, 0o755)


def _move(machine: Machine, path: str, to: str) -> None:
    """Rename a file, if it is there; it may be a symlink that leads nowhere."""
    machine.run("sh", "-c", f"if [ -e {path} ] || [ -L {path} ]; then mv {path} {to}; fi")
