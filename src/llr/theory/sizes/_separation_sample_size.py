"""Separation sample sizes of all families of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from llr.errors import LLRError, UnsupportedModuleError
from llr.models import (
    DiagonalNetwork,
    DifferenceOfSquares,
    ToyLinear,
    ToyNonlinear,
    two_layer_structure,
)
from llr.theory.activations import VALUE_AT_ZERO
from llr.theory.deep import FullyConnected, read_fully_connected
from llr.theory.linear import linear_layers
from llr.theory.sizes._deep_target import deep_target
from llr.theory.sizes._fibre_dimension import fibre_dimension
from llr.theory.sizes._linear_map import linear_map
from llr.theory.sizes._null_and_dead_units import spare_dimensions
from llr.theory.sizes._optimistic_bound import optimistic_bound
from llr.theory.sizes._optimistic_sample_size import optimistic_sample_size
from llr.theory.sizes._separation_result import SeparationSize
from llr.theory.sizes._two_layer_separation import two_layer_separation

__all__ = ["separation_sample_size"]

FIBRES = "the dimension of the fibres of matrix products (docs/theory/separation)"


def separation_sample_size(
    model: nn.Module,
    target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int,
) -> SeparationSize:
    r"""Separation sample size of a target function in a model.

    The target set Q = { theta : f(.; theta) = f* } is a union of branches. From n samples on, where
    n is the codimension of a branch, generic samples separate it from the parameters that fit the
    samples with another function: near almost all of its points, zero loss means the target. The
    separation sample size is the least of these codimensions,

        M - max dim Q.

    It is at least the optimistic sample size, because the rank at a point is at most the
    codimension of the target set there. In a two-layer network of width m with D incoming
    parameters per neuron, the branch with r distinct neurons of a target with m_0 has the size
    r + (m + m_0 - r) D.

    Args:
        model: as for :func:`optimistic_sample_size`.
        target: as for :func:`optimistic_sample_size`.

    Returns:
        The size, or bounds where only those are known, with the branches of the target set where
        the model is a two-layer network.

    Raises:
        NotExpressibleError: if no parameters of the model give the target.
        InvalidInputError: if the target is of another kind or shape.
        UnsupportedModuleError: if nothing is known about the model.

    References:
        Luo, Zhang and Zhang, arXiv 2309.00508, 2023, Lemma 4.2, Theorems 5.3 and 5.4; Zhao, Bai and
        Zhang, arXiv 2405.13787, 2024.

    Example:
        >>> from llr.models import PaperTeacherMLP, SharedTanhConv1D, TwoLayerTanhMLP
        >>> student = SharedTanhConv1D(5, width=3, kernel_size=3)
        >>> separation_sample_size(student, PaperTeacherMLP()).value
        13
        >>> size = separation_sample_size(TwoLayerTanhMLP(1, width=2), 1)
        >>> [(branch.units, branch.sample_size) for branch in size.branches]
        [(1, 5), (2, 4)]
    """
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    structure = two_layer_structure(model, activation=None)
    if structure is not None and linear_layers(model) is None:
        assert isinstance(target, (nn.Module, Mapping, int))
        return two_layer_separation(structure, target, optimistic_bound(model, target))
    optimistic = optimistic_sample_size(model, target)  # refuses what is wrong
    lower, words = optimistic.lower, optimistic.target
    product = linear_map(model, target)
    if product is not None:
        size = n_parameters - fibre_dimension(product.sizes, product.rank) - product.hidden_biases
        return SeparationSize(size, size, FIBRES, "proved", words, n_parameters)
    if isinstance(model, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        size = model.theta.numel() - _fibre_of_vector_model(model)
        theorem = "coordinates that are products of their own parameters"
        return SeparationSize(size, size, theorem, "proved", words, n_parameters)
    if linear_layers(model) is not None:
        # Hidden biases without an output bias: the witness itself, and nothing more.
        return SeparationSize(lower, n_parameters, "all parameters", "bound", words, n_parameters)
    assert isinstance(target, (nn.Module, Mapping, int))
    layers = read_fully_connected(model)
    if layers is None:
        raise UnsupportedModuleError(
            "separation_sample_size must be given a two-layer network, a fully connected network, "
            "a linear or diagonal network, a matrix factorisation or a toy, got "
            f"{type(model).__name__}."
        )
    upper = n_parameters - _spare(layers, target)
    return SeparationSize(
        lower=min(lower, upper),
        upper=upper,
        theorem="null and dead units",
        status="proved" if lower == upper else "bound",
        target=words,
        n_parameters=n_parameters,
    )


def _spare(layers: FullyConnected, target: nn.Module | Mapping[str, Tensor] | int) -> int:
    """Dimensions of the target set that spare units have; 0 where the layers do not fit."""
    live = (layers.sizes[0], *[0] * len(layers.widths), layers.sizes[-1])
    if not (isinstance(target, int) and target == 0):
        try:
            live = deep_target(layers, target)[0].sizes
        except LLRError:
            return 0
    if any(a > b for a, b in zip(live, layers.sizes, strict=True)):
        return 0
    zero = not VALUE_AT_ZERO[layers.activation]
    return spare_dimensions(layers.sizes, live, layers.bias_pattern, zero_at_zero=zero)


def _fibre_of_vector_model(
    model: DiagonalNetwork | DifferenceOfSquares | ToyLinear | ToyNonlinear,
) -> int:
    """Dimension of the target set of a model whose coefficients have parameters of their own."""
    if isinstance(model, ToyNonlinear):
        return 1
    if isinstance(model, ToyLinear):
        return 0
    return model.theta.numel() - model.input_dim
