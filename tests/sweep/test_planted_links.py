"""Links that somebody has planted in a sweep's folder lead nowhere: replaced, or refused."""

import sys

import pytest

from llr.errors import StoreError
from llr.report import draw_all, write_report
from llr.report._draw import plots_of
from llr.sweep import SweepPaths, export_results, open_sweep, run_sweep
from llr.sweep._folder import sweep_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


@pytest.fixture
def precious(tmp_path):
    """A file that belongs to somebody else."""
    file = tmp_path / "precious"
    file.write_text("precious")
    return file


def tiny(small, **overrides):
    return small(sweep__models=["mlp"], sweep__sample_sizes=[4], training__max_steps=5, **overrides)


def test_no_file_of_a_sweep_is_written_through_a_link(small, precious):
    folder = run_sweep(tiny(small)).folder
    paths = SweepPaths(folder)
    drawn = [
        paths.figures / f"{name}.{kind}"
        for name in plots_of(open_sweep(folder))
        for kind in ("png", "svg")
    ]
    paths.figures.mkdir()
    links = [paths.results, paths.table, paths.holder, paths.latest_results, paths.config]
    links += [paths.report, folder / "export.csv", *drawn]
    for link in links:
        content = link.read_bytes() if link.exists() else b""
        link.unlink(missing_ok=True)
        copy = precious.with_name(f"precious {link.name}")
        copy.write_bytes(content or b"precious")
        link.symlink_to(copy)
    before = {copy: copy.read_bytes() for copy in precious.parent.glob("precious *")}
    run_sweep(tiny(small, execution__batch_size=1))
    write_report(folder)
    draw_all(folder)
    export_results(folder, format="csv")
    assert {copy: copy.read_bytes() for copy in before} == before
    assert not any(link.is_symlink() for link in links)


@pytest.mark.parametrize("kind", ["runs", "histories", "parameters", "figures"])
def test_a_folder_inside_a_sweeps_that_is_a_link_is_refused(small, tmp_path, kind):
    config = tiny(small, output__save_parameters=True)
    folder = run_sweep(config).folder
    elsewhere = tmp_path / "elsewhere"
    if kind != "figures":
        config = tiny(small, output__save_parameters=True, sweep__seeds=3)
        (folder / kind).rename(elsewhere)
    else:
        elsewhere.mkdir()
    before = sorted(elsewhere.iterdir())
    (folder / kind).symlink_to(elsewhere)
    with pytest.raises(StoreError, match=f"{kind} must be a folder of the sweep's own"):
        draw_all(folder) if kind == "figures" else run_sweep(config)
    assert sorted(elsewhere.iterdir()) == before


def test_a_lock_that_is_a_link_is_refused(small, precious):
    lock = SweepPaths(sweep_folder(tiny(small))).lock
    lock.parent.mkdir(parents=True)
    lock.symlink_to(precious)
    with pytest.raises(StoreError, match="but it is a link"):
        run_sweep(tiny(small))
    assert precious.read_text() == "precious"
