"""Targets of models that are linear in x: a matrix, an affine map, exact coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, NotExpressibleError, check_positive_int, check_shape
from llr.models import (
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
)
from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import exact_array
from llr.theory.linear._linear_rank import linear_layers

__all__ = [
    "AffineMap",
    "LinearTarget",
    "VectorModel",
    "affine_target",
    "coefficient_target",
    "matrix_target",
]

LinearTarget: TypeAlias = nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int
VectorModel: TypeAlias = DiagonalNetwork | DifferenceOfSquares | ToyLinear | ToyNonlinear


class AffineMap(NamedTuple):
    """x -> weight x + bias in float64, (c, d) and (c,), from numbers of precision ``eps``."""

    weight: Tensor
    bias: Tensor
    eps: float


def matrix_target(model: MatrixFactorization, target: LinearTarget) -> tuple[Tensor, float]:
    """A target as a matrix, and the precision of its numbers."""
    if isinstance(target, MatrixFactorization):
        target = dict(target.named_parameters())
    if isinstance(target, Mapping):
        if set(target) != {"left", "right"}:
            raise InvalidInputError(
                "a target state dict of a matrix factorisation must have the names 'left' and "
                f"'right', got {sorted(target)}."
            )
        left, right = (_double(name, target[name]) for name in ("left", "right"))
        return left @ right, _precision(target["left"], target["right"])
    if isinstance(target, (nn.Module, int)):
        raise InvalidInputError(
            "target must be a matrix, a rank, a MatrixFactorization or its state dict for "
            f"{type(model).__name__}, got {type(target).__name__}."
        )
    matrix = _as_tensor(target)
    return _double("target", matrix), _precision(matrix)


def affine_target(model: nn.Module, target: LinearTarget, d: int, c: int) -> AffineMap:
    """A target as an affine map R^d -> R^c."""
    if isinstance(target, Mapping):
        values = named_values(model, target)
        missing = [name for name in values if name not in target]
        if missing:
            raise InvalidInputError(f"a target state dict must be complete, got none of {missing}.")
        affine = _compose(model, values, linear_layers(model) or [])
    elif isinstance(target, nn.Module):
        layers = linear_layers(target)
        if layers is None:
            coefficients = _read_coefficients(target, None)
            if coefficients is None:
                raise InvalidInputError(
                    "target must be a linear network, a matrix or a state dict of the model, got "
                    f"{type(target).__name__}."
                )
            row = torch.tensor([[float(v) for v in coefficients]], dtype=torch.float64)
            affine = AffineMap(row[:, 1:], row[:, 0], _precision(*target.parameters()))
        else:
            affine = _compose(target, dict(target.named_parameters()), layers)
    elif isinstance(target, int):
        check_positive_int("target", target, minimum=0)
        if target > min(c, d):
            raise NotExpressibleError(
                f"target must be a rank at most {min(c, d)} for maps R^{d} to R^{c}, got {target}."
            )
        weight = torch.eye(c, d, dtype=torch.float64)
        weight[target:] = 0.0
        affine = AffineMap(weight, torch.zeros(c, dtype=torch.float64), _precision(weight))
    else:
        given = _as_tensor(target)
        zeros = torch.zeros(c, dtype=torch.float64)
        affine = AffineMap(_double("target", given), zeros, _precision(given))
    check_shape("target's linear part", affine.weight.shape, (c, d))
    return affine


def coefficient_target(model: VectorModel, target: LinearTarget) -> list[Fraction]:
    """A target as c_0..c_d."""
    d, name = model.input_dim, type(model).__name__
    toy = isinstance(model, (ToyLinear, ToyNonlinear))
    if isinstance(target, nn.Module):
        coefficients = _read_coefficients(target, None)
        if coefficients is None:
            raise InvalidInputError(
                f"target must be affine with one output for {name}, got {type(target).__name__}."
            )
    elif isinstance(target, Mapping):
        if set(target) != {"theta"}:
            raise InvalidInputError(
                f"a target state dict of {name} must have the name 'theta', got {sorted(target)}."
            )
        check_shape("target['theta']", target["theta"].shape, model.theta.shape)
        coefficients = _read_coefficients(model, target["theta"])
        assert coefficients is not None
    elif isinstance(target, int):
        check_positive_int("target", target, minimum=0)
        if toy or target > d:
            raise InvalidInputError(
                f"target must be a number of nonzero coefficients up to {d} for a diagonal "
                f"network, got {target} for {name}."
            )
        coefficients = [Fraction(0), *[Fraction(j < target) for j in range(d)]]
    else:
        values = _as_tensor(target)
        check_shape("target", values.shape, (d + toy,))
        values = _double("target", values).tolist()
        constant = [] if toy else [Fraction(0)]
        coefficients = constant + [Fraction(value) for value in values]
    if len(coefficients) != d + 1:
        raise InvalidInputError(
            f"target must have {d} inputs like the model, got {len(coefficients) - 1}."
        )
    return coefficients


def _compose(model: nn.Module, values: Mapping[str, Tensor], layers: list[str]) -> AffineMap:
    """A linear network as one affine map."""
    d = values[f"{layers[0]}weight"].shape[1]
    weight = torch.eye(d, dtype=torch.float64)
    bias = torch.zeros(d, dtype=torch.float64)
    for layer in layers:
        step = _double(f"{layer}weight", values[f"{layer}weight"])
        weight, bias = step @ weight, step @ bias
        if f"{layer}bias" in values:
            bias = bias + _double(f"{layer}bias", values[f"{layer}bias"])
    return AffineMap(weight, bias, _precision(*values.values()))


def _read_coefficients(target: nn.Module, theta: Tensor | None) -> list[Fraction] | None:
    """c_0..c_d of an affine module with one output, exactly; None for other modules."""
    if isinstance(target, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        values = exact_array("theta", target.theta if theta is None else theta)
        exact = [
            [Fraction(v) for v in row] for row in values.reshape(-1, values.shape[-1]).tolist()
        ]
        if isinstance(target, DiagonalNetwork):
            return [
                Fraction(0),
                *(prod(column, start=Fraction(1)) for column in zip(*exact, strict=True)),
            ]
        if isinstance(target, DifferenceOfSquares):
            return [Fraction(0), *(a**2 - b**2 for a, b in zip(*exact, strict=True))]
        t = exact[0]
        return t if isinstance(target, ToyLinear) else [t[0], t[1], t[2] * t[3]]
    layers = linear_layers(target)
    if layers is None:
        return None
    affine = _compose(target, dict(target.named_parameters()), layers)
    if len(affine.bias) != 1:
        return None
    return [Fraction(v) for v in (*affine.bias.tolist(), *affine.weight[0].tolist())]


def _as_tensor(values: Tensor | Sequence[float]) -> Tensor:
    """A tensor as it is; plain numbers in float64."""
    return values if isinstance(values, Tensor) else torch.tensor(values, dtype=torch.float64)


def _double(name: str, tensor: Tensor) -> Tensor:
    """Finite values in float64 on the CPU."""
    return torch.from_numpy(exact_array(name, tensor).copy())


def _precision(*tensors: Tensor) -> float:
    """The coarsest machine precision of some tensors; float64's for integers."""
    return max(
        torch.finfo(t.dtype if t.is_floating_point() else torch.float64).eps for t in tensors
    )
