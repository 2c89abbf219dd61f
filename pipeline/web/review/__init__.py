"""A night's work looked through and corrected, on a page that this machine serves."""
