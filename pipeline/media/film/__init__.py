"""One moving picture, in and out."""
