"""Check in seconds that this installation computes right: the same as ``llr verify``."""

import sys

from llr.cli import main

if __name__ == "__main__":
    main(["verify", *sys.argv[1:]])
