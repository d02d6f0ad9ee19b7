"""The papers' closed forms, one function a family.

Theorem numbers are those of Zhang et al., JMLR 26(69), 2025, unless another source is named. The
printed theorems have no biases; a bias counts as one more parameter of what carries it, as the
formulas' texts say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from llr.errors import InvalidInputError, check_positive_int

__all__ = [
    "ClosedForm",
    "deep_network_bound",
    "diagonal_network_size",
    "fully_connected_rank",
    "fully_connected_size",
    "linear_network_size",
    "linear_size",
    "matrix_factorization_rank",
    "matrix_factorization_size",
    "relu_network_bound",
    "shared_convolution_size",
    "toy_linear_size",
    "toy_nonlinear_size",
    "unshared_convolution_size",
]


@dataclass(frozen=True)
class ClosedForm:
    """The value of a formula, with its text and source.

    Attributes:
        value: the integer.
        formula: the formula, in the papers' letters.
        theorem: where it is printed.
    """

    value: int
    formula: str
    theorem: str

    def __int__(self) -> int:
        return self.value


def fully_connected_rank(input_dim: int, *, distinct: int, effective: int) -> ClosedForm:
    """Model rank of a two-layer tanh network without biases: m_w + m_a d.

    Args:
        input_dim: d.
        distinct: m_w, number of nonzero input weight vectors, counted up to sign.
        effective: m_a, number of those that some unit with nonzero output weight has, plus one
            if a unit with zero input weights has a nonzero output weight.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a number is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Cor. 7.

    Example:
        >>> fully_connected_rank(5, distinct=3, effective=3).value
        18
    """
    check_positive_int("input_dim", input_dim)
    check_positive_int("distinct", distinct, minimum=0)
    check_positive_int("effective", effective, minimum=0)
    if effective > distinct + 1:
        raise InvalidInputError(
            f"effective must be at most distinct + 1 = {distinct + 1}, got {effective}."
        )
    return ClosedForm(distinct + effective * input_dim, "m_w + m_a d", "Corollary 7")


def fully_connected_size(
    input_dim: int, *, width: int, hidden_bias: bool = False, output_bias: bool = False
) -> ClosedForm:
    """Optimistic sample size of a two-layer tanh network: k (d + 1).

    Args:
        input_dim: d.
        width: k, the target's intrinsic width.
        hidden_bias: whether hidden neurons have a bias: one more a neuron.
        output_bias: whether the output has a bias: one more.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 4.

    Example:
        >>> fully_connected_size(5, width=3, hidden_bias=True).value
        21
    """
    check_positive_int("input_dim", input_dim)
    check_positive_int("width", width, minimum=0)
    text = f"k (d + {1 + hidden_bias})"
    value = width * (input_dim + 1 + hidden_bias)
    return _with_output_bias(value, text, "Theorem 4", output_bias)


def shared_convolution_size(
    input_dim: int,
    *,
    kernels: int,
    kernel_size: int,
    n_axes: int = 1,
    hidden_bias: bool = False,
    output_bias: bool = False,
) -> ClosedForm:
    """Optimistic sample size of a convolution with weight sharing: K (s^2 + (d + 1 - s)^2).

    In 1-d: K (s + d + 1 - s). The formula needs the shifts of different kernels, padded to the
    whole input, to be distinct up to sign; :func:`optimistic_sample_size` does not.

    Args:
        input_dim: d, side length of the input.
        kernels: K, the target's number of kernels.
        kernel_size: s, side length of a kernel.
        n_axes: 1 or 2.
        hidden_bias: whether kernels have a bias: one more a kernel.
        output_bias: whether the output has a bias: one more.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 5.

    Example:
        >>> shared_convolution_size(28, kernels=1, kernel_size=3, n_axes=2).value
        685
    """
    s, p = _kernel_and_positions(input_dim, kernels, kernel_size, n_axes)
    power = "^2" if n_axes == 2 else ""
    text = f"K (s{power} + (d + 1 - s){power}{' + 1' if hidden_bias else ''})"
    return _with_output_bias(kernels * (s + p + hidden_bias), text, "Theorem 5", output_bias)


def unshared_convolution_size(
    input_dim: int,
    *,
    kernels: int,
    kernel_size: int,
    n_axes: int = 1,
    hidden_bias: bool = False,
    output_bias: bool = False,
) -> ClosedForm:
    """Optimistic sample size of a convolution without weight sharing: K (s^2 + 1) (d + 1 - s)^2.

    In 1-d: K (s + 1) (d + 1 - s). The formula needs all K (d + 1 - s)^2 neurons of the target to
    be distinct up to sign, with nonzero output weights; :func:`optimistic_sample_size` does not.

    Args:
        input_dim: d, side length of the input.
        kernels: K, the target's number of kernels.
        kernel_size: s, side length of a kernel.
        n_axes: 1 or 2.
        hidden_bias: whether hidden neurons have a bias: one more a neuron.
        output_bias: whether the output has a bias: one more.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 6.

    Example:
        >>> unshared_convolution_size(28, kernels=1, kernel_size=3, n_axes=2).value
        6760
    """
    s, p = _kernel_and_positions(input_dim, kernels, kernel_size, n_axes)
    power = "^2" if n_axes == 2 else ""
    text = f"K (s{power} + {1 + hidden_bias}) (d + 1 - s){power}"
    return _with_output_bias(kernels * p * (s + 1 + hidden_bias), text, "Theorem 6", output_bias)


def deep_network_bound(
    input_dim: int,
    *,
    widths: Sequence[int],
    output_dim: int = 1,
    hidden_bias: bool = False,
    output_bias: bool = False,
) -> ClosedForm:
    """Upper bound for a fully connected network of any depth: the narrow network's parameters.

    O <= d m'_1 + m'_1 m'_2 + ... + m'_{L-1} c for a target of a network of hidden widths
    m'_1..m'_{L-1}, in every wider network of the same depth and activation.

    Args:
        input_dim: d.
        widths: m'_1..m'_{L-1}, the target's hidden widths.
        output_dim: c.
        hidden_bias: whether hidden layers have biases: m'_1 + ... + m'_{L-1} more.
        output_bias: whether the output layer has a bias: c more.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 3 and Table 1.

    Example:
        >>> deep_network_bound(5, widths=[3, 2]).value
        23
    """
    sizes = [input_dim, *widths, output_dim]
    for size in sizes:
        check_positive_int("every size", size, minimum=0)
    value = sum(a * b for a, b in pairwise(sizes)) + hidden_bias * sum(widths)
    names = ["d", *(f"m'_{l + 1}" for l in range(len(widths))), "c"]
    text = " + ".join(f"{a} {b}" for a, b in pairwise(names if output_dim > 1 else names[:-1]))
    if output_dim == 1:
        text = " + ".join(filter(None, [text, names[-2]]))
    if hidden_bias and widths:
        text += "".join(f" + {name}" for name in names[1:-1])
    value += output_bias * output_dim
    text += f" + {'c' if output_dim > 1 else '1'}" if output_bias else ""
    return ClosedForm(value, text, "Theorem 3, Table 1")


def relu_network_bound(
    input_dim: int,
    *,
    widths: Sequence[int],
    output_dim: int = 1,
    hidden_bias: bool = False,
    output_bias: bool = False,
) -> ClosedForm:
    """Upper bound for a ReLU network: parameters minus hidden neurons, and the rank generically.

    Scaling a hidden neuron's incoming weights by lambda > 0 and its outgoing ones by 1 / lambda
    changes nothing, so each hidden neuron takes one direction from the tangent space.

    Args:
        input_dim: d.
        widths: hidden widths.
        output_dim: c.
        hidden_bias: whether hidden layers have biases.
        output_bias: whether the output layer has a bias.

    Returns:
        The closed form.

    Raises:
        InvalidInputError: if a size is impossible.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorem 3; Grigsby, Lindsey, Meyerhoff and Wu,
        "Functional dimension of feedforward ReLU neural networks", 2022.

    Example:
        >>> relu_network_bound(3, widths=[4]).value
        12
    """
    parameters = deep_network_bound(
        input_dim,
        widths=widths,
        output_dim=output_dim,
        hidden_bias=hidden_bias,
        output_bias=output_bias,
    )
    removed = "".join(f" - m'_{l + 1}" for l in range(len(widths)))
    return ClosedForm(
        parameters.value - sum(widths),
        parameters.formula + removed,
        "Theorem 3 and positive rescaling",
    )


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


def _with_output_bias(value: int, text: str, theorem: str, output_bias: bool) -> ClosedForm:
    """One more with an output bias."""
    return ClosedForm(value + output_bias, text + (" + 1" if output_bias else ""), theorem)


def _kernel_and_positions(
    input_dim: int, kernels: int, kernel_size: int, n_axes: int
) -> tuple[int, int]:
    """Weights of a kernel and number of its positions."""
    check_positive_int("input_dim", input_dim)
    check_positive_int("kernels", kernels, minimum=0)
    check_positive_int("kernel_size", kernel_size)
    if n_axes not in (1, 2):
        raise InvalidInputError(f"n_axes must be 1 or 2, got {n_axes!r}.")
    if kernel_size > input_dim:
        raise InvalidInputError(
            f"kernel_size must be at most input_dim = {input_dim}, got {kernel_size}."
        )
    return kernel_size**n_axes, (input_dim - kernel_size + 1) ** n_axes


def _check_rank(name: str, rank: int, size: int) -> None:
    """A rank between 0 and the size."""
    check_positive_int("matrix sizes", size)
    check_positive_int(name, rank, minimum=0)
    if rank > size:
        raise InvalidInputError(f"{name} must be at most {size}, got {rank}.")
