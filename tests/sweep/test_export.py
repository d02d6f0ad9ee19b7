"""A sweep's table in other formats: nothing lost, one type a column."""

import builtins

import pandas as pd
import pytest
from click.testing import CliRunner

from llr.cli import main
from llr.errors import InvalidInputError, MissingExtraError, ResultsError, StoreError
from llr.sweep import export_results, load_results, run_sweep


@pytest.fixture
def folder(small):
    return run_sweep(small(sweep__seeds=1, training__lr=1e9, init__std=1.0)).folder


@pytest.mark.parametrize(("kind", "read"), [("parquet", pd.read_parquet), ("csv", pd.read_csv)])
def test_what_is_exported_reads_back_as_the_results(folder, kind, read):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    path = export_results(folder, format=kind)
    assert path == folder / f"export.{kind}"
    table, runs = read(path), load_results(folder)
    assert list(table.columns) == list(runs.columns)
    for name in runs.columns:
        both = pd.DataFrame({"exported": table[name], "stored": runs[name]})
        known = both.dropna()
        assert both["exported"].isna().equals(both["stored"].isna())
        assert (known["exported"].astype(object) == known["stored"].astype(object)).all(), name


def test_columns_have_one_type_whatever_is_missing(folder):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    schema = pyarrow.read_schema(export_results(folder))
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert {kinds[name] for name in ("width", "seed", "steps", "sample_size")} == {"int64"}
    assert {kinds[name] for name in ("init_std", "train_mse", "time")} == {"double"}
    assert kinds["status"] in ("string", "large_string")


def test_the_command_prints_the_file_and_takes_another_name(folder, tmp_path):
    file = tmp_path / "runs.csv"
    done = CliRunner().invoke(
        main, ["export", str(folder), "--format", "csv", "--output", str(file)]
    )
    assert (done.exit_code, done.output.strip()) == (0, str(file))
    assert len(pd.read_csv(file)) == len(load_results(folder))


def test_without_pyarrow_the_error_says_what_to_install(folder, monkeypatch):
    genuine = builtins.__import__

    def without(name, *arguments, **options):
        if name == "pyarrow":
            raise ImportError(name)
        return genuine(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'llr\[parquet\]'"):
        export_results(folder)


def test_what_cannot_be_exported_is_said_in_a_sentence(folder, tmp_path):
    with pytest.raises(ResultsError, match=r"must be a results\.json or a folder"):
        export_results(tmp_path / "nothing")
    with pytest.raises(InvalidInputError, match="format must be one of 'parquet', 'csv'"):
        export_results(folder, format="xlsx")
    with pytest.raises(StoreError, match="must be writable"):
        export_results(folder, format="csv", output=tmp_path / "no" / "folder" / "a.csv")
    assert not (tmp_path / "no").exists()
