"""Values: addresses, prefixes, names of devices. Nothing in here touches the machine."""
