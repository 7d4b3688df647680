"""The verbs of ``nethook``: a module for each, whose ``run(options)`` returns the exit status."""
