"""What is released: source, wheel, and packages of distributions, all built in a clean Debian root without a network.

    python -m lab.packages deb          # into dist/

Two builds of the same commit are equal byte by byte, wherever and whenever they run.
"""
