"""Having libvirt and systemd run this program: the hook file, the units, and what may forbid them.

A hook that libvirt may not run keeps every network of the host from starting. So all that could be wrong is looked at
first, and refused with what to do (``refusal``); what is to be done is then known as a list of steps (``step``), which
``--dry-run`` prints and a real run takes.
"""
