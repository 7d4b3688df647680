"""Our nftables tables."""
