"""Who has which address, and why: lines, networks and what was seen, as values. Pure."""
