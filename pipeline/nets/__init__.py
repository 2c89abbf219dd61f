"""A net, from its registry entry to ab predicted from lightness."""
