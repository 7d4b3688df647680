"""Routes extra public IP addresses of a host to the guests of libvirt networks."""

__version__ = "1.0.0"
