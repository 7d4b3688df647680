"""The gate in firewalld: a policy and ipsets in its own files, because nobody else can write into its table.

firewalld (2.1 and later) owns its nftables table, so no rule of ours can get in, and its own rules cannot accept a bit
of the packet mark: rich rules match addresses, and the one ipset type with a mark (``hash:ip,mark``) takes no IPv6
prefix. So its gate is the only one that knows the routed IPs: two ipsets hold them, and one policy accepts

- whatever goes **to** a routed IP, from anywhere;
- what comes **from** a routed IP, unless it goes to a private address (RFC 1918, RFC 6598, link-local, ULA).

That is as tight as firewalld can be told. It is a little more than what carries our mark, and what is more is held
elsewhere: what is forged is dropped by our own table, and what an isolated network sends is rejected by libvirt. What
is left is a routed IP that connects to a guest's *public* address that no line names, on an open or route network in a
zone that would not have let it in. And it is a little less: where a network is in no zone of libvirt's, its routed IPs
reach private addresses outside only as the zones say.

The policy goes from ANY to ANY: one that names a zone that does not exist keeps firewalld from starting. It decides
what neither a policy of an admin nor the rules of a zone have decided, in front of the zone's target, which rejects the
rest; so an admin may reject in a policy, with any priority but a high one. Why its name begins as it does: files.py.

Policies and ipsets cannot be made at run time, so ``nethook install`` writes them and has firewalld reload. From then
on only the entries change, at run time and permanently: reload, restart and boot need nothing from us.

One thing firewalld 2 does not offer: for packets between two interfaces neither of which is in a zone (the default zone
has them) it asks no policy at all. Then the uplink has to be put into its zone by name; see docs/firewalls.md.

https://firewalld.org/documentation/man-pages/firewalld.policies.html
"""

from __future__ import annotations

from nethook.gates.gate import Firewall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.engine.case import Case
    from nethook.gates.gate import Opening
    from nethook.host import Host

CONFIGURED = "/etc/firewalld"
"""Where an admin's files are, and ours."""


def is_configured(host: Host) -> bool:
    """Return whether this host has firewalld's files; without them it has no firewalld that could run."""
    return host.has_file(CONFIGURED)


class FirewalldFirewall(Firewall):
    """firewalld. Few events need it, and its files are dear to import."""

    settings = ("firewalld",)
    tables = ("inet firewalld",)

    def is_due(self, case: Case) -> bool:
        """Return whether the entries may have to change. An event asks only when lines have come or gone."""
        return case.is_thorough or (case.concerns_configured and case.settings.opens("firewalld"))

    def look(self, case: Case, host: Host) -> tuple[Opening | None, list[str]]:
        """Ask it over D-Bus."""
        if not is_configured(host):
            return None, []
        from nethook.gates.firewalld.gate import entries, look  # noqa: PLC0415 - few events need it

        is_wanted = case.settings.opens("firewalld")
        found, failures = look(entries(case.guarded if is_wanted else ()), host)
        return found, failures if is_wanted else []


FIREWALLD = FirewalldFirewall()
