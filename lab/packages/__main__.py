"""``python -m lab.packages``."""

from lab.packages.builds import main

main()
