"""The papers' closed forms for networks, one function a family.

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
    "fully_connected_rank",
    "fully_connected_size",
    "relu_network_bound",
    "shared_convolution_size",
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
    return _with_biases(value, text, "Theorem 4", hidden_bias, output_bias)


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
    return _with_biases(
        kernels * (s + p + hidden_bias), text, "Theorem 5", hidden_bias, output_bias
    )


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
    return _with_biases(
        kernels * p * (s + 1 + hidden_bias), text, "Theorem 6", hidden_bias, output_bias
    )


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


def _with_biases(
    value: int, text: str, theorem: str, hidden_bias: bool, output_bias: bool
) -> ClosedForm:
    """One more with an output bias; the printed theorems have no biases at all."""
    if output_bias:
        value, text = value + 1, f"{text} + 1"
    return ClosedForm(
        value, text, f"{theorem}, biases counted" if hidden_bias or output_bias else theorem
    )


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
