"""Named generators: independent streams, no global state."""

import pytest
import torch

from llr.errors import InvalidInputError
from llr.seeds import derive_seed, drawing_from, generator


def test_streams_of_one_seed_differ_by_purpose_and_by_key():
    seeds = {
        derive_seed(0, "train"),
        derive_seed(0, "test"),
        derive_seed(1, "train"),
        derive_seed(0, "train", 1),
        derive_seed(0, "train", "1", "2"),
    }
    assert len(seeds) == 5


def test_derived_seeds_never_change():
    # Stored results name their seeds; this value holds for as long as the library lives.
    assert derive_seed(0, "init") == 2_552_690_931_965_557_711


def test_an_unknown_purpose_is_refused_with_the_nearest():
    with pytest.raises(InvalidInputError, match="Did you mean 'train'"):
        generator(0, "trian")


def test_drawing_from_a_generator_leaves_the_global_one_as_it_was():
    before = torch.random.get_rng_state()
    with drawing_from(generator(0, "init")):
        first = torch.randn(5)
    assert torch.equal(torch.random.get_rng_state(), before)
    with drawing_from(generator(0, "init")):
        assert torch.equal(torch.randn(5), first)


def test_drawing_advances_the_source():
    source = generator(0, "init")
    with drawing_from(source):
        first = torch.randn(5)
    with drawing_from(source):
        assert not torch.equal(torch.randn(5), first)
