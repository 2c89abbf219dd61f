"""Click commands: parse, call, print; no logic."""
