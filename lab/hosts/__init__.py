"""Real hosts on one machine: booted Debian roots with libvirtd and real guests, and an outside world.

    with Lab() as lab:
        host = lab.host("trixie", firewall_backend="nftables")
        lab.wan.deliver("203.0.113.0/24", host)
        host.network("public", mode="nat", addresses=["192.168.50.1/24"])
        guest = host.guest("web1", network="public", addresses=["203.0.113.10/32"], gateways=["192.168.50.1"])
        guest.start()
        lab.wan.http("203.0.113.10")

A host is a systemd-nspawn container on an overlay of a cached root, in its own network namespace. Only program.py
knows the program under test: it installs it.
"""
