"""The setting of firewalld, since 2.3, with which it rejects all connections that others have forwarded."""

from __future__ import annotations

from nethook.gates.firewalld import CONFIGURED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.host import Host

FILE = f"{CONFIGURED}/firewalld.conf"
OPTION = "strictforwardports"
WHAT = "firewalld rejects all ports that it has not forwarded itself (StrictForwardPorts=yes)"
ADVICE = (
    f"write StrictForwardPorts=no in {FILE}, and run firewall-cmd --reload; "
    "or add the same ports there with --add-forward-port"
)


def is_strict(host: Host) -> bool:
    """Return whether firewalld runs with this setting; False if its file cannot be read. ReadError."""
    try:
        text = host.read(FILE) or ""
    except OSError:
        return False
    options = dict(line.lower().replace(" ", "").split("=", 1) for line in text.splitlines() if "=" in line)
    return options.get(OPTION) in {"yes", "true"} and host.has_chain("inet", "firewalld", "filter_FORWARD")
