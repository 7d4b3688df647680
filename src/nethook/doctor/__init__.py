"""The doctor finds out why an address does not answer, and how to repair that, station by station on a packet's way.

Nothing here changes anything. Guests are only asked what any neighbour asks (ARP, NDP).
"""
