"""libvirt's networks and guests: its events, its API and its XML, and the record of its events."""
