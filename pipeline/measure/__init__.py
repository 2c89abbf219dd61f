"""What is measured: what this machine will use, colour against the truth."""
