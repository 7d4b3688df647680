"""Our own objects in the kernel: routes and the nftables table. Knows nothing of configuration files or libvirt."""
