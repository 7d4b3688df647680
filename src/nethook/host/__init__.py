"""The edge: everything that touches the machine is in here."""
