"""Hosts, guests, networks and packets for tests, bench and demo.

``lab.hosts``      booted Debian hosts with systemd, libvirtd and QEMU guests, and the outside around them: seconds each
``lab.world``      a host in namespaces of its own, with guests that are namespaces: milliseconds each
``lab.firewalls``  the rules that libvirt's daemon writes
``lab.frames``     Ethernet frames, byte by byte

Nothing in here needs more than the standard library: bench runs it with the system's Python.
"""
