"""What runs units: this process, worker processes, and whatever else fits `executor.Executor`."""
