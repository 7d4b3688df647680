"""The changes of a run, as values."""
