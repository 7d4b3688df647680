"""A host in namespaces of its own on this machine: networks, guests, packets, and the hook as libvirt runs it.

world = World(FIREWALLS["libvirt-nftables"])
network = world.network("public", 1)
guest = world.guest(network, "203.0.113.10")
world.configure("203.0.113.10 public")
world.event(network, "started")
world.exchange(world.outside(4), guest.at("203.0.113.10"))
world.close()
"""
