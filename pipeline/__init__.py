"""Colorize whole archives of black-and-white photographs and films."""
