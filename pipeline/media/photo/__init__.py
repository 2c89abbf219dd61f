"""One still picture, in and out."""
