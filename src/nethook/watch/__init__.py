"""The resident service: it hears what changes on the host, and runs a cycle that heals what is in force.

Each source of what it hears has a file; the registry is ``sources.py``. A source only says that something may have
changed, and what. ``pace.py`` says when to look, ``healing.py`` looks, and ``service.py`` is the loop around them.
"""
