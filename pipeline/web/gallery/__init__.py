"""A night's work as a folder of pages that a browser opens without a server."""
