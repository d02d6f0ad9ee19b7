"""Linear networks and factorisations as products of matrices, with the target's rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from llr.models import MatrixFactorization
from llr.theory._named_parameters import named_values
from llr.theory.linear import affine_target, linear_layers, matrix_target
from llr.theory.sizes._linear_sample_size import numerical_rank

__all__ = ["MatrixProduct", "linear_map"]


@dataclass(frozen=True)
class MatrixProduct:
    """A target as a product of matrices, and of one bias that is free of the others.

    Attributes:
        sizes: m_0, .., m_L: the inputs, the widths, the outputs.
        rank: of the target.
        output_bias: whether there is an output bias.
        hidden_biases: number of hidden biases; whatever they are, the output bias makes up for it.
    """

    sizes: tuple[int, ...]
    rank: int
    output_bias: bool
    hidden_biases: int


def linear_map(
    model: nn.Module, target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int
) -> MatrixProduct | None:
    """The product, or None for other models, and where only hidden layers have biases."""
    if isinstance(model, MatrixFactorization):
        sizes = (model.n_columns, model.width, model.n_rows)
        if isinstance(target, int):
            return MatrixProduct(sizes, target, output_bias=False, hidden_biases=0)
        rank = numerical_rank(*matrix_target(model, target))
        return MatrixProduct(sizes, rank, output_bias=False, hidden_biases=0)
    layers = linear_layers(model)
    if layers is None:
        return None
    values = named_values(model, None)
    weights = [values[f"{layer}weight"] for layer in layers]
    biases = [values.get(f"{layer}bias") for layer in layers]
    hidden = sum(bias.numel() for bias in biases[:-1] if bias is not None)
    if hidden and biases[-1] is None:
        return None
    sizes = (weights[0].shape[1], *(weight.shape[0] for weight in weights))
    affine = affine_target(model, target, sizes[0], sizes[-1])
    rank = numerical_rank(affine.weight, affine.eps)
    return MatrixProduct(sizes, rank, biases[-1] is not None, hidden)
