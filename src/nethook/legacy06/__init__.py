"""Everything about release 0.6, in one place, so that it can go."""
