"""A page of this program over HTTP: who may look, and what is answered."""
