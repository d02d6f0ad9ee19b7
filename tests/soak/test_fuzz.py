"""A minute of coverage-guided fuzzing for each reader of files."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llr.sweep import run_sweep

pytest.importorskip("atheris", reason="needs atheris: pip install atheris")

SECONDS = 60


def seeds(target, folder, small):
    """Whole files to begin with."""
    sweep = run_sweep(small()).folder
    found = {
        "config": [sweep / "config.yaml"],
        "store": list((sweep / "runs").glob("*.jsonl")),
        "results": [sweep / "results.json"],
        "weights": [],
    }[target]
    folder.mkdir()
    for path in found:
        shutil.copy(path, folder)
    (folder / "weights").write_bytes(b"\0hidden.weight: [[1, 2]]\noutput.weight: [[3]]\n")


@pytest.mark.parametrize("target", ["config", "store", "results", "weights"])
def test_whatever_a_file_holds_it_is_read_or_refused(target, tmp_path, small):
    seeds(target, tmp_path / "corpus", small)
    (tmp_path / "work").mkdir()
    script = Path(__file__).with_name("fuzz.py")
    done = subprocess.run(
        [sys.executable, str(script), target, str(tmp_path / "work"), str(tmp_path / "corpus"),
         f"-max_total_time={SECONDS}", "-rss_limit_mb=4000", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus", "work", "outputs"}
