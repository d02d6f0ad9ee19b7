"""``python -m llr``: the same as the command ``llr``."""

from llr.cli import main

if __name__ == "__main__":
    main()
