"""``nethook install``: the hook file that libvirt runs, and the units that systemd runs.

A hook that libvirt may not run keeps every network of the host from starting. So everything is checked first, and a
problem raises RefusedError with advice. The rest is a list of tasks, which ``--dry-run`` prints and a real run carries
out.
"""
