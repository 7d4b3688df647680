"""What ``nethook`` does: a module for each verb, whose ``run(options)`` returns the exit status."""
