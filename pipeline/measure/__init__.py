"""What is measured: speed against the reference, what this machine will use, colour against the truth."""
