"""Run every benchmark, one after another, and print its ratios.

Each benchmark is a script ``benchmarks/<name>/run.py`` that measures llr and its peers in one run,
prints the ratios, and writes ``results.json``, environment included, beside itself. Its peers are
listed in ``benchmarks/<name>/requirements.txt``; ``make bench`` installs them first.

    python benchmarks/run.py                # all
    python benchmarks/run.py rank           # one
    python benchmarks/run.py rank --quick   # its smallest case; nothing is written
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    known = sorted(path.parent.name for path in HERE.glob("*/run.py"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="smallest cases, nothing written")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(known)}")
    failed = []
    for name in options.names or known:
        print(f"\n== {name} ==", flush=True)
        command = [sys.executable, str(HERE / name / "run.py"), *["--quick"] * options.quick]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
