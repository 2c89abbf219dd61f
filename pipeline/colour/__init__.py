"""Arrays only, no files: Lab, the reference algorithm, the production composition."""
