"""Where model files lie: the registry, fetching, and telling what a file is."""
