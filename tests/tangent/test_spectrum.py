"""Chunked and sketched singular values are those of J, down to its rounding."""

import pytest
import torch
from torch import Tensor

from llr.errors import InvalidInputError
from llr.tangent import RankOptions, TangentOperator, find_spectrum, measure_rank
from llr.tangent._rank_method import choose_method

EPS = torch.finfo(torch.float64).eps
RELATIVE = 1e-4  # an eigenvalue of J J^T is trusted when it exceeds its error 10^4 times


def matrix(rows: int, columns: int, values: Tensor) -> Tensor:
    """A matrix with these singular values and random singular vectors."""
    source = torch.Generator().manual_seed(0)

    def frame(size: int) -> Tensor:
        draw = torch.randn(size, len(values), generator=source, dtype=torch.float64)
        return torch.linalg.qr(draw).Q

    return (frame(rows) * values) @ frame(columns).T


def operator_of(J: Tensor) -> TangentOperator:
    """The model f(x; theta) = x . theta at the rows of J, whose tangent matrix is J."""
    theta = {"theta": torch.zeros(J.shape[1], dtype=torch.float64)}
    return TangentOperator(lambda params, x: x @ params["theta"], J, params=theta)


def log(start: float, stop: float, count: int) -> Tensor:
    return torch.logspace(start, stop, count, dtype=torch.float64)


SPECTRA = {
    "falling to rounding": (60, 150, log(0, -15, 60)),
    "falling to 1e-9": (60, 150, log(0, -9, 60)),
    "low rank": (60, 150, log(0, -3, 10)),
    "low rank, steep": (60, 150, log(0, -12, 10)),
    "nearly full rank": (60, 150, log(0, -10, 55)),
    "clusters": (
        60,
        150,
        torch.cat([torch.ones(30), 1e-9 * torch.ones(15), 1e-12 * torch.ones(5)]),
    ),
    "tall": (150, 60, log(0, -12, 45)),
    "square": (80, 80, log(0, -12, 70)),
    "tiny": (60, 150, 1e-100 * log(0, -11, 50)),
    "huge": (60, 150, 1e100 * log(0, -11, 50)),
    "one": (5, 9, torch.ones(1)),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("little_memory", [False, True])
@pytest.mark.parametrize("method", ["dense", "chunked", "sketched"])
@pytest.mark.parametrize("vectors", [False, True])
def test_singular_values_have_the_accuracy_of_the_matrix_not_of_its_gram_matrix(
    name, method, vectors, little_memory
):
    rows, columns, values = SPECTRA[name]
    J = matrix(rows, columns, values.double())
    # Too little memory for J itself, and for as many products with it as there are rows.
    memory = 6 * 8 * min(rows, columns) ** 2 if little_memory and rows < columns else None
    if method == "dense" and memory is not None:
        memory = 3 * 8 * rows * columns
    options = RankOptions(method=method, max_memory=memory)
    operator = operator_of(J)
    found = find_spectrum(operator, options, vectors=vectors)
    assert found.method == method
    exact = torch.linalg.svdvals(J)
    count = min(len(exact), len(found.values))
    allowed = max(J.shape) * EPS * float(exact[0]) / 10  # a tenth of the textbook tolerance
    difference = (found.values[:count] - exact[:count]).abs()
    assert (difference <= allowed + RELATIVE * exact[:count]).all()
    assert (exact[count:] < allowed).all()
    if vectors:
        basis = found.basis
        assert basis is not None
        one = torch.eye(basis.shape[1], dtype=torch.float64)
        assert (basis.T @ basis - one).abs().max() < 1e-10
        image = J.T @ basis if found.side == "left" else J @ basis
        above = found.values > 1e-6 * found.values[0]
        lengths = image.norm(dim=0)
        assert torch.allclose(lengths[above], found.values[above], rtol=1e-6)


def test_numbers_whose_squares_underflow_are_not_taken_for_zero():
    J = 1e-170 * matrix(40, 90, log(0, -2, 20))
    little = 6 * 8 * 40 * 32  # bytes: for the squares, and not for the products themselves
    for options in (
        RankOptions(method="chunked"),
        RankOptions(method="sketched", max_memory=little),
    ):
        with pytest.raises(InvalidInputError, match="method='dense'"):
            measure_rank(operator_of(J), options)
    for method in ("dense", "sketched"):
        assert measure_rank(operator_of(J), RankOptions(method=method)).rank == 20


@pytest.mark.parametrize("method", ["dense", "chunked", "sketched"])
def test_a_model_without_any_tangent_function_has_rank_zero(method):
    result = measure_rank(
        operator_of(torch.zeros(20, 30, dtype=torch.float64)), RankOptions(method=method)
    )
    assert (result.rank, result.verdict) == (0, "clear")
    assert "vanish" in repr(result)


def test_memory_decides_between_dense_chunked_and_sketched():
    assert choose_method("auto", 100, 1000, 10**9) == "dense"
    assert choose_method("auto", 2000, 97_000, 10**9) == "chunked"
    assert choose_method("auto", 2000, 97_000, 10**8) == "sketched"
    assert choose_method("auto", 1000, 11_000_000, 2 * 10**9) == "chunked"
    assert choose_method("chunked", 10, 10, 10**9) == "chunked"
    with pytest.raises(InvalidInputError, match=r"method='dense' needs about 4\.7e"):
        choose_method("dense", 2000, 97_000, 10**9)
    with pytest.raises(InvalidInputError, match="Did you mean 'dense'"):
        choose_method("dens", 1, 1, 1)
    for wrong in (-1.0, "2GB", True, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError, match="max_memory must be a number of bytes"):
            measure_rank(
                operator_of(torch.eye(3, dtype=torch.float64)), RankOptions(max_memory=wrong)
            )


def test_a_sketch_that_outgrows_its_memory_says_what_is_known():
    J = matrix(400, 500, log(0, -2, 400))
    with pytest.raises(InvalidInputError, match="the rank is above 24"):
        measure_rank(operator_of(J), RankOptions(method="sketched", max_memory=6 * 8 * 400 * 40))


def test_an_overflowing_tangent_matrix_is_reported():
    theta = {"theta": torch.tensor([1e300], dtype=torch.float64)}
    x = torch.full((3, 1), 1e300, dtype=torch.float64)
    with pytest.raises(InvalidInputError, match="outputs at the samples must be finite"):
        TangentOperator(lambda p, x: (p["theta"] * x) ** 2, x, params=theta)
    x = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)[:, None]
    theta = {"theta": torch.zeros(1, dtype=torch.float64)}
    cusp = TangentOperator(lambda p, x: (p["theta"] + x).abs().sqrt(), x, params=theta)
    for method in ("dense", "chunked", "sketched"):
        with pytest.raises(InvalidInputError, match=r"finite|NaN"):
            measure_rank(cusp, RankOptions(method=method))
