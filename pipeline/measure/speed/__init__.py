"""Speed: this pipeline against the tutorial's loop, on the same pictures and cores, taking turns."""
