"""Build the wheel and try it as a user would: in an empty environment, from another folder.

    python tools/try_wheel.py           # builds dist/, leaves nothing else behind

The environment holds the wheel and its dependencies at the versions of ``constraints.txt``, nothing
of this checkout. ``llr verify`` must pass there, and one sweep must leave results and a page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
CONFIG = """\
experiment: {name: tried}
training: {max_steps: 200}
sweep: {enabled: true, models: [cnn_shared], scales: [1], sample_sizes: [6, 8], seeds: 2}
"""
NEEDED = ("llr/py.typed", "llr/__init__.pyi", "llr/configs/", "llr/report/")
WRITTEN = ("results.json", "results.csv", "report.html")


def build() -> Path:
    """The wheel, built from the source distribution, so that both are tried."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    (wheel,) = DIST.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    missing = [part for part in NEEDED if not any(name.startswith(part) for name in names)]
    strangers = [name for name in names if not name.startswith(("llr/", "llr-"))]
    if missing or strangers:
        sys.exit(f"{wheel.name} lacks {missing} and holds {strangers}")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, its dependencies and the page's; its folder of programs."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    run(
        *pip, "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), f"{wheel}[report]"
    )
    return programs


def use(programs: Path, folder: Path) -> None:
    """Verify the installation, train a sweep, write its page; fail where something is missing."""
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    llr = str(programs / "llr")
    origin = "import llr, pathlib; print(pathlib.Path(llr.__file__).parent)"
    run(str(programs / "python"), "-c", origin, cwd=folder)
    run(llr, "verify", cwd=folder)
    run(llr, "sweep", cwd=folder)
    run(llr, "report", "outputs/tried", cwd=folder)
    missing = [name for name in WRITTEN if not (folder / "outputs" / "tried" / name).is_file()]
    if missing:
        sys.exit(f"the sweep of the installed wheel did not write {', '.join(missing)}")


def run(*command: str, cwd: Path = ROOT) -> None:
    """A command and how long it took; ends with its status if it fails."""
    print(f"$ {' '.join(command)}", flush=True)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, check=False)
    print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory() as scratch:
        programs = install(build(), Path(scratch) / "environment")
        use(programs, Path(scratch) / "elsewhere")


if __name__ == "__main__":
    main()
