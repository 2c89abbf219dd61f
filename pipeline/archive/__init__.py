"""What is known of a run's files: discovery, names, plan, journal, manifest, lock."""
