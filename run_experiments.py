"""Train the whole sweep that a config describes: the same as ``llr sweep``."""

import sys

from llr.cli import main

if __name__ == "__main__":
    main(["sweep", *sys.argv[1:]])
