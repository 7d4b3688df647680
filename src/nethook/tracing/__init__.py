"""Following real packets of an address through the kernel: ``nethook trace``."""
