"""The driver: lock, plan, feed, collect, manifest; signals and progress."""
