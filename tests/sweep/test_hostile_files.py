"""Whatever a store's files hold, it is read or reported; nothing runs and nothing is written."""

import contextlib
import json
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.errors import LLRError, StoreError
from llr.sweep import JsonLinesStore, load_results
from llr.sweep._json_lines import encode_line
from llr.testing import StoreContract

WHOLE = StoreContract.finished("a").record
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from(["../a", "a\0b", "/etc/passwd", "1e400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip
RECORDS = st.dictionaries(st.sampled_from(list(WHOLE)) | st.text(max_size=5), VALUES).map(
    lambda changes: encode_line({**WHOLE, **changes})
)
INCOMPLETE = st.dictionaries(st.sampled_from([*WHOLE, "x"]), VALUES).map(encode_line)


def sealed(body):
    """A line whose checksum fits, whatever stands in it."""
    return b'%s,"crc32":"%08x"}\n' % (body, crc32(body))


LINES = (
    RECORDS
    | INCOMPLETE
    | st.binary(max_size=40).map(sealed)
    | st.binary(max_size=40)
    | st.sampled_from([sealed(b"[" * 100_000), sealed(b'{"id":1e999'), b"\n", b"\x00" * 50])
)


def read_everything(folder, lines):
    """What the store and the results loader make of a shard."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    shard = folder / "runs" / "000001-0.jsonl"
    shard.write_bytes(b"".join(lines))
    store = JsonLinesStore(folder)
    records = list(store.records(store.entries))
    assert [record["id"] for record in records] == list(store.entries)
    for damage in store.damage:
        assert damage.file == shard
        assert 1 <= damage.line <= shard.read_bytes().count(b"\n")
    for run_id in store.entries:
        with contextlib.suppress(StoreError):
            store.parameters(run_id)
    with contextlib.suppress(LLRError):
        assert len(load_results(folder)) == len(records)
    assert [path for path in folder.rglob("*") if path.is_file()] == [shard]


@given(lines=st.lists(LINES, max_size=4))
def test_any_lines_are_read_or_reported(lines, tmp_path_factory):
    read_everything(tmp_path_factory.getbasetemp() / "hostile", lines)


def test_one_bad_line_costs_no_good_one(tmp_path):
    bad = [sealed(b"[" * 100_000), sealed(b'{"id":'), b"x\n"]
    good = [encode_line({**WHOLE, "id": name}) for name in "abc"]
    (tmp_path / "runs").mkdir()
    pairs = zip(good, bad, strict=True)
    (tmp_path / "runs" / "1.jsonl").write_bytes(b"".join(line for pair in pairs for line in pair))
    store = JsonLinesStore(tmp_path)
    assert list(store.entries) == ["a", "b", "c"]
    assert [damage.line for damage in store.damage] == [2, 4, 6]
    assert len(load_results(tmp_path)) == 3


@pytest.mark.parametrize("run_id", ["../secret", "a/b", "..", "", "/etc/passwd", "a\0"])
def test_parameters_are_looked_for_in_their_folder_only(tmp_path, run_id):
    with pytest.raises(StoreError, match="must be letters and digits"):
        JsonLinesStore(tmp_path).parameters(run_id)


def test_a_line_holds_one_run_as_json(tmp_path):
    line = encode_line(WHOLE)
    assert json.loads(line)["id"] == "a"
