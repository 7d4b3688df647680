"""What libvirt tells: the events that it gives to hooks. Knows nothing of our configuration or of the kernel."""
