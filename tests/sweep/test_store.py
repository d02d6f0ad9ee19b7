"""The store loses nothing that was appended, and takes nothing damaged for a result."""

import errno
import json
from contextlib import closing

import pytest

from llr.errors import StoreError
from llr.sweep import JsonLinesStore
from llr.sweep._json_lines import encode_line
from llr.testing import StoreContract


class TestJsonLinesStore(StoreContract):
    def make(self, folder):
        return JsonLinesStore(folder)


def run(run_id, value=0.5):
    return StoreContract.finished(run_id, value=value)


def filled(folder, ids="abc"):
    with closing(JsonLinesStore(folder)) as store:
        for run_id in ids:
            store.append([run(run_id)])
    (shard,) = (folder / "runs").glob("*.jsonl")
    return shard


@pytest.mark.parametrize("cut", [1, 2, 10, 40])
def test_a_torn_last_line_is_no_damage_and_its_run_is_missing(tmp_path, cut):
    shard = filled(tmp_path)
    shard.write_bytes(shard.read_bytes()[:-cut])
    store = JsonLinesStore(tmp_path)
    assert list(store.entries) == ["a", "b"]
    assert not store.damage


def test_a_shard_is_never_continued(tmp_path):
    shard = filled(tmp_path)
    torn = shard.read_bytes()[:-5]
    shard.write_bytes(torn)
    with closing(JsonLinesStore(tmp_path)) as store:
        store.append([run("c")])
    assert shard.read_bytes() == torn
    assert list(JsonLinesStore(tmp_path).entries) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"test_mse":0.5', b'"test_mse":0.6', "checksum"),
        (b'"id":"b"', b'"id":"x"', "checksum"),
        (b'{"id":"b"', b"\x00\xff\xfe", "checksum"),
        (b"crc32", b"crc33", "not a whole record"),
    ],
)
def test_a_changed_line_is_reported_with_file_and_line_and_the_rest_is_kept(
    tmp_path, old, new, reason
):
    shard = filled(tmp_path)
    lines = shard.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(old, new)
    shard.write_bytes(b"".join(lines))
    store = JsonLinesStore(tmp_path)
    assert list(store.entries) == ["a", "c"]
    (damage,) = store.damage
    assert (damage.file, damage.line) == (shard, 2)
    assert reason in str(damage)
    assert f"{shard}, line 2" in str(damage)


def test_every_truncation_and_every_flipped_byte_leaves_only_whole_records(tmp_path):
    shard = filled(tmp_path)
    whole = shard.read_bytes()
    records = {record["id"]: record for record in JsonLinesStore(tmp_path).records("abc")}
    flipped = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
    for data in [*(whole[:i] for i in range(len(whole))), *flipped]:
        shard.write_bytes(data)
        store = JsonLinesStore(tmp_path)
        for record in store.records(store.entries):
            assert record == records[record["id"]]


def test_lines_are_plain_json_with_the_id_first(tmp_path):
    for line in filled(tmp_path).read_text().splitlines():
        assert next(iter(json.loads(line))) == "id"


WHOLE = StoreContract.finished("a").record


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "has no id"),
        ({"id": "a"}, "has no model"),
        ({**WHOLE, "id": 7}, "has 7 for id, which must be a name"),
        ({**WHOLE, "id": "../a"}, "has '../a' for id, which must be a name"),
        ({**WHOLE, "id": "a b"}, "has 'a b' for id, which must be letters and digits"),
        ({**WHOLE, "sample_size": 0}, "has 0 for sample_size, which must be an integer from 1"),
        ({**WHOLE, "seed": 2**63}, "for seed, which must be an integer from 0"),
        ({**WHOLE, "scale": True}, "has True for scale, which must be an integer from 1"),
        ({**WHOLE, "test_mse": -1.0}, "has -1.0 for test_mse, which must be a finite number >= 0"),
        ({**WHOLE, "test_mse": "1"}, "has '1' for test_mse, which must be a finite number >= 0"),
        ({**WHOLE, "model": "\ud800"}, "for model, which must be a name"),
        ({**WHOLE, "message": "a\0"}, "for message, which must be a text"),
        ({**WHOLE, "mine": [1]}, "has a list for 'mine', which must be a number or a text"),
        ({**WHOLE, "chunk": None}, "has None for chunk, which must be a text"),
    ],
)
def test_a_line_whose_checksum_fits_but_that_is_no_record_is_reported(tmp_path, row, reason):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "000001.jsonl").write_bytes(encode_line(row))
    store = JsonLinesStore(tmp_path)
    assert not store.entries
    assert reason in str(store.damage[0])


def test_a_record_that_could_not_be_read_again_is_refused_before_anything_is_written(tmp_path):
    store = JsonLinesStore(tmp_path)
    with pytest.raises(StoreError, match=r"has -1\.0 for train_mse"):
        store.append([run("a"), run("b", -1.0)])
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_folder_named_like_a_shard_is_none(tmp_path):
    filled(tmp_path)
    (tmp_path / "runs" / "000000.jsonl").mkdir()
    (tmp_path / "histories" / "000000.jsonl").mkdir()
    store = JsonLinesStore(tmp_path)
    assert list(store.entries) == ["a", "b", "c"]
    assert list(store.histories("abc")) == ["a", "b", "c"]


def test_losses_that_are_no_lists_of_one_length_are_left_out(tmp_path):
    filled(tmp_path)
    (shard,) = (tmp_path / "histories").glob("*.jsonl")
    bad = [{"id": "a", "at": [0.0]}, {"id": "b", "at": [1], "train_mse": ["x"], "test_mse": [1]}]
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join([*map(encode_line, bad), lines[2]]))
    assert list(JsonLinesStore(tmp_path).histories("abc")) == ["c"]


def test_a_record_that_is_no_json_is_refused_before_anything_is_written(tmp_path):
    store = JsonLinesStore(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        store.append([run("a", float("nan"))])
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_full_disk_is_reported_and_what_was_stored_before_stays(tmp_path, monkeypatch):

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(JsonLinesStore(tmp_path)) as store:
        store.append([run("a")])
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(StoreError, match=r"No space left.*run the same command again"):
                store.append([run("b")])
        store.append([run("c")])
    assert {"a", "c"} <= set(JsonLinesStore(tmp_path).entries)
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_shards_of_two_machines_can_be_put_together(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    filled(one, "ab")
    shard = filled(other, "bc")
    shard.rename(one / "runs" / shard.name)
    assert sorted(JsonLinesStore(one).entries) == ["a", "b", "c"]


def test_parameters_that_were_not_kept_are_asked_for_with_a_sentence(tmp_path):
    filled(tmp_path)
    with pytest.raises(StoreError, match="save_parameters"):
        JsonLinesStore(tmp_path).parameters("a")


def test_damaged_parameters_are_reported(tmp_path):
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters" / "a.safetensors").write_bytes(b"no tensors")
    with pytest.raises(StoreError, match="must be a safetensors file"):
        JsonLinesStore(tmp_path).parameters("a")


def test_ten_thousand_runs_load(tmp_path):
    ids = [f"{number:016x}" for number in range(10_000)]
    with closing(JsonLinesStore(tmp_path)) as store:
        for first in range(0, len(ids), 500):
            store.append([run(run_id, 1 / 3) for run_id in ids[first : first + 500]])
    opened = JsonLinesStore(tmp_path)
    assert list(opened.entries) == ids
    assert [record["id"] for record in opened.records(reversed(ids))] == ids[::-1]
    assert opened.histories(ids[-1:]) == {ids[-1]: run(ids[-1], 1 / 3).history}
