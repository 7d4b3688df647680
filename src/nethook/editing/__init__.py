"""Changing the files that an administrator writes: finding a line, a draft of new content, and writing it safely."""
