"""What keeps an address from answering, and what mends it: the stations of its way, looked at one by one.

Nothing here changes anything. What is asked of a guest is asked as any neighbour would (ARP, NDP).
"""
