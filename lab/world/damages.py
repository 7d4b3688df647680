"""What other programs do to ours in the kernel, as commands for a shell in a world.

The world has the network ``public`` with the bridge ``virbr1``, and ``plain`` without IPv6 on ``virbr2``.
"""

LINES = (
    *("203.0.113.10 public", "203.0.113.16/29 public", "2001:db8:7::10 public", "203.0.113.30 public guest=web1"),
    *("2001:db8:7:1::1 plain", "2001:db8:7:2::1 public proxy=uplink"),
)
ADDRESSES = ("203.0.113.10", "203.0.113.17", "2001:db8:7::10", "203.0.113.30")
"""Those of a guest on ``public``."""
TABLE = "inet nethook"
_OUR_RULES = "nft -a list chain {} | sed -n 's/.*nethook-.*# handle //p'"
_CHAINS = ("ip libvirt_network forward", "ip6 libvirt_network forward")
DAMAGES = {
    "table deleted": f"nft delete table {TABLE}",
    "table flushed": f"nft flush table {TABLE}",
    "chain flushed": f"nft flush chain {TABLE} forward4",
    "one element deleted": f"nft 'delete element {TABLE} to4 {{ virbr1 . 203.0.113.10 }}'",
    "elements flushed": f"nft flush set {TABLE} to6",
    "a foreign element": f"nft 'add element {TABLE} to4 {{ virbr1 . 203.0.113.99 }}'",
    "bindings deleted": "nft delete table bridge nethook",
    "gates deleted": "\n".join(
        f"for rule in $({_OUR_RULES.format(chain)}); do nft delete rule {chain} handle $rule; done" for chain in _CHAINS
    ),
    "route deleted": "ip route delete 203.0.113.10",
    "IPv6 route deleted": "ip route delete 2001:db8:7::10",
    "all routes deleted": "ip -4 route flush proto 218; ip -6 route flush proto 218",
    "fallbacks deleted": "ip -4 route flush table all proto 218 type unreachable",
    "gateway address deleted": "ip address delete 169.254.0.1/32 dev virbr1",
    "IPv6 gateway address deleted": "ip address delete fe80::1/64 dev virbr1",
    "neighbour entry deleted": "ip neighbour delete 203.0.113.30 dev virbr1",
    "neighbour entry changed": "ip neighbour replace 203.0.113.30 lladdr 52:54:00:99:99:99 dev virbr1 nud reachable",
    "IPv6 turned off": "echo 1 > /proc/sys/net/ipv6/conf/virbr2/disable_ipv6",
    "proxy turned off": "echo 0 > /proc/sys/net/ipv6/conf/uplink/proxy_ndp",
    "bridge down and up": "ip link set virbr1 down; ip link set virbr1 up",
}
"""Each changes something that the service hears of."""
