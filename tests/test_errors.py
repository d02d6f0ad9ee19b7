"""Messages say what must hold, what was got, and what to do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr import errors
from llr.errors import (
    InvalidInputError,
    LLRError,
    check_choice,
    check_number,
    check_positive_int,
    check_shape,
    did_you_mean,
    nearest,
    quoted_list,
)


def test_every_error_is_one_of_ours_and_of_a_kind_that_python_knows():
    kinds = [value for name, value in vars(errors).items() if name.endswith("Error")]
    assert len(kinds) >= 7
    for kind in kinds:
        assert issubclass(kind, LLRError)
        assert kind.__doc__
    assert issubclass(InvalidInputError, ValueError)
    assert issubclass(errors.UnsupportedModuleError, TypeError)
    assert not issubclass(errors.StoreError, (ValueError, TypeError))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("trian", "train"), ("tran", "train"), ("TEST", None), ("xyz", None), ("", None)],
)
def test_the_nearest_name_is_named_only_if_it_is_near(name: str, expected: str | None):
    assert nearest(name, ["train", "test", "noise"]) == expected


def test_a_suggestion_ends_a_message_or_is_nothing():
    assert did_you_mean("trian", ["train", "test"]) == " Did you mean 'train'?"
    assert did_you_mean("xyz", ["train", "test"]) == ""


def test_names_are_listed_in_quotes():
    assert quoted_list(["a", "b"]) == "'a', 'b'"


def test_a_choice_is_returned_as_it_is_and_a_wrong_one_named_with_the_valid():
    assert check_choice("method", "dense", ["dense", "sketched"]) == "dense"
    with pytest.raises(InvalidInputError) as caught:
        check_choice("method", "dens", ["dense", "sketched"])
    assert str(caught.value) == (
        "method must be one of 'dense', 'sketched', got 'dens'. Did you mean 'dense'?"
    )
    with pytest.raises(InvalidInputError, match=r"got 'zzz'\.$"):
        check_choice("method", "zzz", ["dense", "sketched"])


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True])
def test_an_integer_must_be_one_and_large_enough(value: object):
    with pytest.raises(InvalidInputError) as caught:
        check_positive_int("width", value)
    assert str(caught.value) == f"width must be an integer >= 1, got {value!r}."


def test_the_least_integer_is_the_callers():
    assert check_positive_int("seed", 0, minimum=0) == 0
    with pytest.raises(InvalidInputError, match="depth must be an integer >= 2, got 1"):
        check_positive_int("depth", 1, minimum=2)


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "condition"),
    [
        ({"minimum": 0.0}, [0, 1e300, math.inf], [-1e-300, math.nan], ">= 0"),
        ({"above": 0.0}, [5e-324], [0, -1], "> 0"),
        ({"minimum": 0.0, "below": 1.0}, [0.0, 0.999], [1.0, 2], ">= 0 and < 1"),
        ({"above": 0.0, "maximum": 1.0}, [1, 0.5], [0.0, 1.1], "> 0 and <= 1"),
        ({}, [0, -3.5], ["3", None, True, [1], math.nan], "finite"),
    ],
)
def test_a_number_must_lie_inside_its_limits(limits, inside, outside, condition: str):
    for value in inside:
        checked = check_number("lr", value, **limits)
        assert type(checked) is float
        assert checked == value
    for value in outside:
        with pytest.raises(InvalidInputError) as caught:
            check_number("lr", value, **limits)
        assert str(caught.value) == f"lr must be a number {condition}, got {value!r}."


@given(value=st.floats(), low=st.floats(-10, 10), high=st.floats(-10, 10))
def test_a_number_passes_if_and_only_if_it_is_inside(value: float, low: float, high: float):
    try:
        check_number("x", value, minimum=low, below=high)
        passed = True
    except InvalidInputError:
        passed = False
    assert passed == (low <= value < high)


def test_shapes_have_sizes_and_free_dimensions():
    check_shape("x", (7, 5), ("n", 5))
    check_shape("x", (), ())
    for shape in [(7, 4), (7,), (7, 5, 1)]:
        with pytest.raises(InvalidInputError) as caught:
            check_shape("x", shape, ("n", 5))
        assert str(caught.value) == f"x must have shape (n, 5), got {shape}."
    with pytest.raises(InvalidInputError, match=r"must have shape \(n,\), got \(2, 3\)"):
        check_shape("x", (2, 3), ("n",))
