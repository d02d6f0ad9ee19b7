"""The papers' closed forms for matrices, linear and diagonal networks, and the toys."""

from __future__ import annotations

from llr.errors import InvalidInputError, check_positive_int
from llr.theory._closed_forms import ClosedForm

__all__ = [
    "diagonal_network_size",
    "linear_network_size",
    "linear_size",
    "matrix_factorization_rank",
    "matrix_factorization_size",
    "toy_linear_size",
    "toy_nonlinear_size",
]


def matrix_factorization_rank(
    n_rows: int, n_columns: int, *, left_rank: int, right_rank: int
) -> ClosedForm:
    """Model rank of a matrix factorisation A B: d1 rank(B) + d2 rank(A) - rank(A) rank(B).

    Args:
        n_rows: d1.
        n_columns: d2.
        left_rank: rank of A, at most d1.
        right_rank: rank of B, at most d2.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 4.

    Example:
        >>> matrix_factorization_rank(4, 4, left_rank=4, right_rank=4).value
        16
    """
    for name, rank, size in (
        ("left_rank", left_rank, n_rows),
        ("right_rank", right_rank, n_columns),
    ):
        _check_rank(name, rank, size)
    return ClosedForm(
        n_rows * right_rank + n_columns * left_rank - left_rank * right_rank,
        "d1 rank(B) + d2 rank(A) - rank(A) rank(B)",
        "J. Mach. Learn. 4(3), Section 4",
    )


def matrix_factorization_size(n_rows: int, n_columns: int, *, rank: int) -> ClosedForm:
    """Optimistic sample size of a matrix of rank rho: rho (d1 + d2 - rho).

    Args:
        n_rows: d1.
        n_columns: d2.
        rank: rho.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 4.

    Example:
        >>> [matrix_factorization_size(4, 4, rank=rank).value for rank in (1, 2, 3, 4)]
        [7, 12, 15, 16]
    """
    _check_rank("rank", rank, min(n_rows, n_columns))
    return ClosedForm(
        rank * (n_rows + n_columns - rank),
        "rho (d1 + d2 - rho)",
        "J. Mach. Learn. 4(3), Section 4",
    )


def linear_size(input_dim: int, output_dim: int = 1, *, bias: bool = True) -> ClosedForm:
    """Optimistic sample size of a linear model, the same for every target: M.

    Args:
        input_dim: d.
        output_dim: c.
        bias: whether there is a bias.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Cor. 3.

    Example:
        >>> linear_size(2).value
        3
    """
    check_positive_int("input_dim", input_dim)
    check_positive_int("output_dim", output_dim)
    return ClosedForm(output_dim * (input_dim + bias), "M", "Corollary 3")


def linear_network_size(
    input_dim: int, output_dim: int, *, rank: int, output_bias: bool = False
) -> ClosedForm:
    """Optimistic sample size of a linear network of two or more layers: rho (d + c - rho).

    It is also the model rank wherever all partial products of the layers have rank rho.

    Args:
        input_dim: d.
        output_dim: c.
        rank: rho, rank of the target's linear part.
        output_bias: whether the output layer has a bias: c more.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 4, for two layers.

    Example:
        >>> linear_network_size(4, 3, rank=2).value
        10
    """
    _check_rank("rank", rank, min(input_dim, output_dim))
    return ClosedForm(
        rank * (input_dim + output_dim - rank) + output_bias * output_dim,
        "rho (d + c - rho)" + (" + c" if output_bias else ""),
        "J. Mach. Learn. 4(3), Section 4",
    )


def diagonal_network_size(sparsity: int) -> ClosedForm:
    """Optimistic sample size of a diagonal network: the number of nonzero coefficients.

    Args:
        sparsity: number of nonzero coefficients of the target.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if the number is negative.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, deep models.

    Example:
        >>> diagonal_network_size(3).value
        3
    """
    check_positive_int("sparsity", sparsity, minimum=0)
    return ClosedForm(sparsity, "number of nonzero coefficients", "J. Mach. Learn. 4(3)")


def toy_linear_size() -> ClosedForm:
    """Optimistic sample size of f_L = t0 + t1 x1 + t2 x2: 3, whatever the target.

    Returns:
        The closed form.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 2.

    Example:
        >>> toy_linear_size().value
        3
    """
    return ClosedForm(3, "3", "J. Mach. Learn. 4(3), Section 2")


def toy_nonlinear_size(last_coefficient: float) -> ClosedForm:
    """Optimistic sample size of f_NL = t0 + t1 x1 + t2 t3 x2: 2 for a0 + a1 x1, else 3.

    Args:
        last_coefficient: a2, the target's coefficient of x2.

    Returns:
        The closed form.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 2.

    Example:
        >>> toy_nonlinear_size(0.0).value, toy_nonlinear_size(1.0).value
        (2, 3)
    """
    value = 2 if last_coefficient == 0 else 3
    return ClosedForm(value, "2 if a2 = 0, else 3", "J. Mach. Learn. 4(3), Section 2")


def _check_rank(name: str, rank: int, size: int) -> None:
    """A rank between 0 and the size."""
    check_positive_int("matrix sizes", size)
    check_positive_int(name, rank, minimum=0)
    if rank > size:
        raise InvalidInputError(f"{name} must be at most {size}, got {rank}.")
