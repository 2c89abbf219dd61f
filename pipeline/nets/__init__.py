"""Nets: from a registry entry or a file to `predict(lightness) -> ab`, whatever engine runs it."""
