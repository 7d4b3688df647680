"""Tests on booted hosts, see lab.hosts; and what happens to those hosts."""
