"""Run every benchmark, one after another, and print its ratios.

Each benchmark is a script ``benchmarks/<name>/run.py`` that measures llr and its peers in one run,
prints the ratios, and writes ``results.json``, environment included, beside itself.

    python benchmarks/run.py            # all
    python benchmarks/run.py descent    # one
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    known = sorted(path.parent.name for path in HERE.glob("*/run.py"))
    unknown = set(names) - set(known)
    if unknown:
        print(f"no benchmark named {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    failed = []
    for name in names or known:
        print(f"\n== {name} ==", flush=True)
        if subprocess.run([sys.executable, str(HERE / name / "run.py")], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
