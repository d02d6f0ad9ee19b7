"""The partition depends on the grid alone; a chunk is resumed in the composition it had."""

import random

import pytest

from llr.config import parse_config
from llr.sweep import Entry, grid
from llr.sweep._chunks import MAX_RUNS, partition, pending


def config(**sweep):
    return parse_config(
        {
            "training": {"max_steps": 100},
            "sweep": {"enabled": True, "sample_sizes": [5, 10, 20], "seeds": 4, **sweep},
        }
    )


SPECS = grid(config())
CHUNKS = partition(SPECS)


def entries_of(chunks, digest=None):
    return {
        spec.id: Entry(digest or chunk.digest, failed=False)
        for chunk in chunks
        for spec in chunk.specs
    }


@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_every_run_is_in_exactly_one_chunk_of_its_own_kind(batch_size):
    chunks = partition(SPECS, batch_size=batch_size)
    ids = [spec.id for chunk in chunks for spec in chunk.specs]
    assert sorted(ids) == sorted(spec.id for spec in SPECS)
    for chunk in chunks:
        assert len({spec.batch_key for spec in chunk.specs}) == 1
        assert chunk.wanted == {spec.id for spec in chunk.specs}
        assert len(chunk.specs) <= (batch_size or MAX_RUNS)
        assert chunk.n_parameters == sum(
            p.numel() for p in chunk.specs[0].build_model().parameters()
        )


@pytest.mark.parametrize(
    "overrides",
    [{}, {"training.optimizer": "gradient_flow"}, {"model.scale": 1000, "data.input_dim": 30}],
)
def test_chunks_of_long_runs_hold_seconds_of_work(overrides):
    config = parse_config({"sweep": {"enabled": True, "seeds": 60}}, overrides)
    chunks = partition(grid(config))
    assert len(chunks) > 6
    assert all(len(chunk.specs) in (1, MAX_RUNS) or chunk.seconds <= 2 for chunk in chunks)
    seconds = [chunk.seconds for chunk in chunks]
    assert seconds == sorted(seconds, reverse=True)


def test_runs_share_the_price_of_a_step_where_a_step_has_one():
    config = parse_config({"sweep": {"enabled": True, "seeds": 30, "sample_sizes": [5]}})
    one, several = (partition(grid(config), engine=engine) for engine in ("auto", "torch"))
    assert max(len(chunk.specs) for chunk in several) == 30
    assert sum(chunk.seconds for chunk in one) < sum(chunk.seconds for chunk in several)


def test_short_runs_fill_chunks_up_to_the_most_runs():
    chunks = partition(grid(config(seeds=500, models=["mlp"])))
    assert sorted(len(chunk.specs) for chunk in chunks) == [220, 256, 256, 256, 256, 256]


def test_nothing_is_pending_when_all_is_stored():
    assert pending(CHUNKS, entries_of(CHUNKS)) == []


def test_all_is_pending_when_nothing_is_stored():
    assert pending(CHUNKS, {}) == CHUNKS


def test_a_chunk_stored_in_part_is_trained_again_whole_and_only_the_rest_is_wanted():
    order = random.Random(0)
    for chunk in CHUNKS:
        lost = frozenset(spec.id for spec in order.sample(chunk.specs, 3))
        entries = {key: entry for key, entry in entries_of(CHUNKS).items() if key not in lost}
        (again,) = pending(CHUNKS, entries)
        assert again.specs == chunk.specs
        assert again.wanted == lost


def test_runs_that_failed_are_pending():
    chunk = CHUNKS[0]
    failed = chunk.specs[2].id
    entries = entries_of(CHUNKS) | {failed: Entry(chunk.digest, failed=True)}
    (again,) = pending(CHUNKS, entries)
    assert again.wanted == {failed}
    assert again.specs == chunk.specs


def test_an_extended_sweep_trains_the_new_runs_alone():
    extended = partition(grid(config(seeds=6)))
    old = {spec.id for spec in SPECS}
    for chunk in pending(extended, entries_of(CHUNKS)):
        assert chunk.wanted == {spec.id for spec in chunk.specs}
        assert not chunk.wanted & old


def test_an_extension_that_was_stopped_resumes_in_the_composition_it_had():
    extended = partition(grid(config(seeds=6)))
    entries = entries_of(CHUNKS)
    first = pending(extended, entries)
    for chunk in first:
        kept = chunk.specs[::2]
        entries |= {spec.id: Entry(chunk.digest, failed=False) for spec in kept}
    again = pending(extended, entries)
    assert [chunk.specs for chunk in again] == [chunk.specs for chunk in first]
    assert [chunk.wanted for chunk in again] == [
        frozenset(spec.id for spec in chunk.specs[1::2]) for chunk in first
    ]


def test_runs_tried_alone_are_wanted_ones_only():
    lost = frozenset(spec.id for spec in CHUNKS[0].specs[:3])
    entries = {key: entry for key, entry in entries_of(CHUNKS).items() if key not in lost}
    (again,) = pending(CHUNKS, entries)
    alone = again.singly()
    assert [chunk.specs[0].id for chunk in alone] == [spec.id for spec in CHUNKS[0].specs[:3]]
    assert all(chunk.wanted == {chunk.specs[0].id} for chunk in alone)
