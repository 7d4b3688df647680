"""The placement of addresses, with its reasons: lines, networks and snapshot, as values. Pure."""
