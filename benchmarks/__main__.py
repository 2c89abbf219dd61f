"""`python -m benchmarks`: the same as `colorize bench`."""

import sys

if __name__ == "__main__":  # the processes of a measurement import this file, too, and are to start quickly
    from pipeline.cli.main import main

    sys.argv.insert(1, "bench")
    main()
