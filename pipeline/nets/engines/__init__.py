"""What runs a net: which engines there are, one file each, and which one is chosen here."""
