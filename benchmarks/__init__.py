"""Benchmarks: this pipeline against the tutorial's loop, on the same pictures and cores, taking turns.

They live beside the package and are not installed with it: `make bench`, `python -m benchmarks` and, in a checkout,
`colorize bench`.
"""
