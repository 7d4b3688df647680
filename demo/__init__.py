"""`make demo`: a real guest of a real libvirtd, out of reach before and reachable after."""
