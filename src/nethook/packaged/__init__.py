"""The work of packages of distributions when they are installed, upgraded, removed and purged."""
