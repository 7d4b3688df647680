#!/usr/bin/python3
"""Lays out what a package of a distribution has: packaging/tree.py FOLDER [VARIABLE=VALUE…].

Run it in the unpacked source. Debian's rules and the spec file call it, so that both packages have the same files.
The code is in a folder of its own, where Python does not look by itself: it fits every version of Python, and neither
hides what pip has installed nor is hidden by it.
"""

from __future__ import annotations

import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "src"))
sys.dont_write_bytecode = True

from nethook.gates.firewalld.files import PACKAGED, SETS, contents  # noqa: E402
from nethook.install.package import DISTRIBUTED  # noqa: E402
from nethook.install.units import PACKAGED as UNIT  # noqa: E402
from nethook.install.units import text  # noqa: E402

COMMAND = "/usr/bin/nethook"
SCRIPTS = f"{DISTRIBUTED}/maintain"
"""What maintainer scripts run."""
PROGRAM = f"""#!/usr/bin/python3 -I
import sys
sys.path.insert(0, "{DISTRIBUTED}")
from %s import main
sys.exit(main(%s))
"""
DATA = {
    "man/*.5": "/usr/share/man/man5",
    "man/*.8": "/usr/share/man/man8",
    "completions/nethook": "/usr/share/bash-completion/completions",
    "completions/_nethook": "/usr/share/zsh/site-functions",
    "completions/nethook.fish": "/usr/share/fish/vendor_completions.d",
}
PAGE = "/usr/share/cockpit/nethook"
"""The page for Cockpit, which is a package of its own."""
ONLY_FOR_TESTS = SOURCE / "src/nethook/host/fake"


def main() -> None:
    """Write the tree."""
    root, *variables = sys.argv[1:]
    places = dict(variable.split("=", 1) for variable in variables)
    files = {
        COMMAND: (PROGRAM % ("nethook.cli", ""), 0o755),
        SCRIPTS: (PROGRAM % ("nethook.packaged.scripts", "sys.argv[1:]"), 0o755),
        UNIT: (text("/usr/bin/python3").replace("/usr/bin/python3 -I -m nethook", COMMAND), 0o644),
    }
    for name, content in contents(dict.fromkeys(SETS, ())).items():
        files[f"{PACKAGED}/{name}"] = (content, 0o644)
    for path in sorted((SOURCE / "src/nethook").rglob("*")):
        if path.is_file() and path.parent.name != "__pycache__" and ONLY_FOR_TESTS not in path.parents:
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            files[f"{DISTRIBUTED}/{path.relative_to(SOURCE / 'src')}"] = (path.read_text(encoding="utf-8"), mode)
    for pattern, folder in DATA.items():
        for path in (SOURCE / "packaging").glob(pattern):
            files[f"{places.get(path.name, folder)}/{path.name}"] = (path.read_text(encoding="utf-8"), 0o644)
    for path in (SOURCE / "cockpit/dist").iterdir():
        files[f"{PAGE}/{path.name}"] = (path.read_text(encoding="utf-8"), 0o644)
    for name, (content, mode) in files.items():
        path = Path(root + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
    Path(f"{root}/etc/libvirt/hooks/network.d").mkdir(parents=True)  # the hook comes and goes with the package


if __name__ == "__main__":
    main()
