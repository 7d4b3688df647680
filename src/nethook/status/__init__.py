"""The state of each line, and how people and programs see it."""
