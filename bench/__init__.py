"""How long the hook takes, and what it costs packets: ``python3 -m bench``, as root.

Everything happens in namespaces of its own, which the kernel removes with the last process in them: nothing of the
machine is read but its programs, nothing is changed. Needs the standard library only.
"""

import sys
from pathlib import Path

# What is measured is this repository, installed or not, and it stays as it is.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
sys.dont_write_bytecode = True
