"""One run: read, decide, compare, do it; and once more if need be."""
