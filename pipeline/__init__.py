"""Colorize whole archives of black-and-white photographs and films."""

__version__ = "0.2.0"
