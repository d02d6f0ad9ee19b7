"""Train the single run that a config describes: the same as ``llr train``."""

import sys

from llr.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
