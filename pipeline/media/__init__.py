"""Kinds of items and how each is worked on, in the verbs of `pipeline.ground.items`."""
