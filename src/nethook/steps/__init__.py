"""What a run does to the machine, as values."""
