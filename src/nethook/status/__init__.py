"""What became of each line, and how people and programs are shown it."""
