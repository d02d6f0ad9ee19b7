"""Model ranks of models that are polynomial in x: their tangent spaces are read off directly."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from torch import Tensor, nn

from llr.models import (
    MLP,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
    TwoLayerMLP,
)
from llr.theory._named_parameters import named_values
from llr.theory.arithmetic import Floats, PrimeField, exact_array, largest_rank, matrix_rank

__all__ = ["factorization_rank", "linear_layers", "linear_network_rank", "vector_model_rank"]


def linear_layers(model: nn.Module) -> list[str] | None:
    """Prefixes of the layers of a linear network, first to last, or None for other modules."""
    if type(model) is nn.Linear:
        return [""]
    if type(model) is MLP and (model.activation == "identity" or not model.widths):
        return [f"layers.{l}." for l in range(len(model.layers))]
    if type(model) is TwoLayerMLP and model.structure.activation == "identity":
        return ["hidden.", "output."]
    if type(model) is nn.Sequential and len(model) and all(type(m) is nn.Linear for m in model):
        return [f"{l}." for l in range(len(model))]
    return None


def linear_network_rank(
    model: nn.Module, params: Mapping[str, Tensor] | None, layers: list[str], *, seed: int = 0
) -> int:
    """Tangent space of W_L (... (W_1 x + b_1) ...) + b_L: sum over l of U_l (x) V_l.

    U_l is the image of W_L ... W_(l+1); V_l spans the coordinates of layer l's input, and 1 where
    b_l is trainable. The U_l grow with l, so the dimension is
    sum_l (dim U_l - dim U_(l-1)) dim(V_l + ... + V_L).
    """
    values = named_values(model, params)
    trainable = {name for name, value in model.named_parameters() if value.requires_grad}
    floats = {name: exact_array(name, value) for name, value in values.items()}
    return largest_rank(
        lambda field: (_rank_modulo(field, floats, trainable, layers), False), seed=seed
    )


def _rank_modulo(
    field: PrimeField, floats: Mapping[str, Floats], trainable: set[str], layers: list[str]
) -> int:
    """The dimension above, modulo a prime."""
    exact = {name: field.residues(value) for name, value in floats.items()}
    weights = [exact[f"{layer}weight"] for layer in layers]
    d = weights[0].shape[1]
    # Layer inputs as affine functions of x: one row for each coordinate, columns (x, 1).
    inputs = [np.eye(d, d + 1, dtype=np.int64)]
    for layer, weight in zip(layers, weights, strict=True):
        image = field.matrix_product(weight, inputs[-1])
        if f"{layer}bias" in exact:
            bias = exact[f"{layer}bias"]
            image[:, d] = field.plus(image[:, d], bias)
        inputs.append(image)
    constant = np.zeros((1, d + 1), dtype=np.int64)
    constant[0, d] = 1
    image = np.eye(weights[-1].shape[0], dtype=np.int64)
    seen = np.zeros((0, d + 1), dtype=np.int64)
    steps: list[tuple[int, int]] = []  # (dim U_l, dim(V_l + ... + V_L)), last layer first
    for l in reversed(range(len(layers))):
        if f"{layers[l]}weight" in trainable:
            seen = np.concatenate([seen, inputs[l]])
        if f"{layers[l]}bias" in trainable:
            seen = np.concatenate([seen, constant])
        steps.append((matrix_rank(image, field), matrix_rank(seen, field)))
        image = field.matrix_product(image, weights[l])
    steps.append((0, 0))
    return sum((u - below) * v for (u, v), (below, _) in pairwise(steps))


def factorization_rank(
    model: MatrixFactorization, params: Mapping[str, Tensor] | None, *, seed: int = 0
) -> int:
    """d1 rank(B) + d2 rank(A) - rank(A) rank(B), less what is frozen."""
    values = named_values(model, params)
    left, right = (_rank_of(exact_array(name, values[name]), seed) for name in ("left", "right"))
    from_left = model.n_rows * right if model.left.requires_grad else 0
    from_right = model.n_columns * left if model.right.requires_grad else 0
    return from_left + from_right - (left * right if from_left and from_right else 0)


def _rank_of(values: Floats, seed: int) -> int:
    """Rank of a matrix of floats."""

    def rank_modulo(field: PrimeField) -> tuple[int, bool]:
        rank = matrix_rank(field.residues(values), field)
        return rank, rank == min(values.shape)

    return largest_rank(rank_modulo, seed=seed)


def vector_model_rank(
    model: DiagonalNetwork | DifferenceOfSquares | ToyLinear | ToyNonlinear,
    params: Mapping[str, Tensor] | None,
) -> int:
    """Number of the functions 1, x_j with a nonzero coefficient in some derivative."""
    theta = exact_array("theta", named_values(model, params)["theta"])
    if not model.theta.requires_grad:
        return 0
    if isinstance(model, DiagonalNetwork):
        return int(((theta == 0).sum(axis=0) <= 1).sum())
    if isinstance(model, DifferenceOfSquares):
        return int((theta != 0).any(axis=0).sum())
    return 3 if isinstance(model, ToyLinear) else 2 + bool(theta[2] or theta[3])
