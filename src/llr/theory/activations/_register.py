"""Activations of your own in exact ranks, on properties that you state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError
from llr.models import ACTIVATIONS, ActivationFunction
from llr.theory.activations._rows import ActivationRow, Smooth, Symmetry
from llr.theory.activations._symmetry import ODD, VALUE_AT_ZERO
from llr.theory.activations._table import ROWS
from llr.theory.arithmetic import Floats

__all__ = ["register_activation"]

TOLERANCE = 1e-9
"""Relative error, in float64, up to which the stated properties must hold at the points tried."""


def register_activation(
    name: str,
    function: Callable[[Tensor], Tensor],
    derivative: Callable[[Tensor], Tensor],
    *,
    modules: Iterable[type[nn.Module]] = (),
    symmetry: Symmetry | None = None,
    value_at_zero: float = 0.0,
) -> None:
    """Make an activation known by name, with the properties that exact ranks rest on.

    The activation is then an option of every network of ``llr.models``. Its ranks rest on what is
    stated here: that sigma(-z) is expressed by sigma(z) as ``symmetry`` says and in no other way,
    and that sigma(z_g), sigma'(z_g) x_t, 1 and x_t are linearly independent for units that this
    symmetry does not make equal. :func:`explain_rank` says so in ``.assumes``, and
    :func:`formal_rank`, which is an int, refuses.

    Args:
        name: a new name.
        function: sigma, element by element, on tensors of any floating-point dtype.
        derivative: sigma', element by element.
        modules: classes of modules without parameters that compute it, for ``nn.Sequential``.
        symmetry: sigma(-z) = sign sigma(z) + constant + slope z; None: no such relation.
        value_at_zero: sigma(0).

    Raises:
        InvalidInputError: if the name is taken, or a property does not hold at the points tried.

    Example:
        >>> from llr.theory import explain_rank
        >>> from llr.models import TwoLayerMLP
        >>> register_activation(
        ...     "cubic_tanh",
        ...     lambda z: torch.tanh(z) ** 3,
        ...     lambda z: 3 * torch.tanh(z) ** 2 * (1 - torch.tanh(z) ** 2),
        ...     symmetry=Symmetry(-1),
        ... )
        >>> explained = explain_rank(TwoLayerMLP(3, width=2, activation="cubic_tanh"))
        >>> explained.rank, len(explained.assumes) > 0
        (10, True)
    """
    if name in ACTIVATIONS:
        raise InvalidInputError(
            f"name must be new, got {name!r}, which is an activation already. Choose another name."
        )
    _check(name, function, derivative, symmetry, value_at_zero)
    row = ActivationFunction(name, function, derivative, {module: {} for module in modules})
    ACTIVATIONS[name] = row
    VALUE_AT_ZERO[name] = float(value_at_zero)
    if symmetry == Symmetry(-1):
        ODD.add(name)
    kind = Smooth(symmetry, _evaluated(function), _evaluated(derivative))
    ROWS[name] = ActivationRow(name, kind, "stated at registration", _assumptions(name, symmetry))


def _check(
    name: str,
    function: Callable[[Tensor], Tensor],
    derivative: Callable[[Tensor], Tensor],
    symmetry: Symmetry | None,
    value_at_zero: float,
) -> None:
    """The stated properties at a few points."""
    z = torch.linspace(-3.3, 3.1, 33, dtype=torch.float64).requires_grad_()
    value = function(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    wanted = [
        ("the derivative", derivative(z.detach()), slope),
        ("the value at zero", function(torch.zeros(1, dtype=torch.float64)), value_at_zero),
    ]
    if symmetry is not None:
        turned = symmetry.sign * value + float(symmetry.constant) + float(symmetry.slope) * z
        wanted.append(("sigma(-z) by the symmetry", function(-z), turned))
    for what, found, statement in wanted:
        got = found.detach()
        stated = torch.as_tensor(statement, dtype=torch.float64).detach().expand_as(got)
        if not torch.allclose(got, stated, rtol=TOLERANCE, atol=TOLERANCE):
            worst = float((got - stated).abs().max())
            raise InvalidInputError(
                f"{what} of {name!r} must be as stated, got a difference of {worst:.3g} "
                "at some point in [-3.3, 3.3]. Correct the function or the statement."
            )


def _evaluated(function: Callable[[Tensor], Tensor]) -> Callable[[Floats], Floats]:
    """The function on NumPy arrays."""

    def evaluate(b: Floats) -> Floats:
        return np.asarray(function(torch.from_numpy(np.ascontiguousarray(b))).detach())

    return evaluate


def _assumptions(name: str, symmetry: Symmetry | None) -> tuple[str, ...]:
    """What ranks rest on, in words."""
    relation = "no relation between sigma(-z) and sigma(z)"
    if symmetry is not None:
        terms = [f"{'-' if symmetry.sign < 0 else ''}sigma(z)"]
        for factor, letter in ((symmetry.constant, ""), (symmetry.slope, " z")):
            if factor:
                terms.append(f"{'-' if factor < 0 else '+'} {abs(Fraction(factor))}{letter}")
        relation = f"sigma(-z) = {' '.join(terms)}"
    return (
        f"the stated property of {name!r}: {relation}",
        f"the functions sigma(z_g), sigma'(z_g) x_t, 1, x_t of {name!r} are linearly independent "
        "for units that this does not make equal",
        f"constant units of {name!r} have value, or slope, zero exactly where float64 gives 0",
    )
