"""Optimistic sample size: dispatch over the families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.models import (
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
    TwoLayerStructure,
    two_layer_structure,
)
from llr.theory.activations import Smooth, Symmetry, row_of
from llr.theory.deep import read_fully_connected
from llr.theory.linear import linear_layers
from llr.theory.sizes._activation_sample_size import activation_size, has_activation_size
from llr.theory.sizes._convolution_bounds import convolution_bounds
from llr.theory.sizes._deep_sample_size import deep_network_size
from llr.theory.sizes._deep_tanh_sample_size import deep_tanh_size, has_exact_size
from llr.theory.sizes._linear_sample_size import (
    factorization_size,
    linear_model_size,
    vector_model_size,
)
from llr.theory.sizes._sample_size import SampleSize
from llr.theory.sizes._two_layer_sample_size import two_layer_size

__all__ = ["optimistic_sample_size"]


def optimistic_sample_size(
    model: nn.Module,
    target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int,
) -> SampleSize:
    r"""Optimistic sample size of a target function in a model.

    O(f*) is the least n for which some n samples give a local linear recovery guarantee
    (Def. 3), and by Theorem 1

        O(f*) = min { r(theta') : f(.; theta') = f* },

    the least model rank over all parameters of the model that express the target. It depends on
    the model's architecture and on the target function, not on the model's present parameters.

    Args:
        model: a two-layer network with any activation, fully connected (exact for most: see
            docs/theory) or convolutional (exact for tanh and other odd activations, else
            bounds); a fully connected tanh network of any depth, or a sigmoid one with biases
            above the first layer (exact); a linear or diagonal network, a matrix factorisation or
            a toy (exact); a fully connected network of any other depth or activation (bounds).
        target: one of

            * a module: a network of the model's kind, usually a smaller one, with any biases; for
              two-layer models any two-layer network with the same activation, so that the three
              architectures can be compared on one target;
            * a state dict: parameters of the model, or of a narrower model of its kind;
            * a matrix (d1, d2), for a matrix factorisation, or (c, d), for a linear network;
            * coefficients: c_1..c_d for a diagonal network, a_0, a_1, a_2 for the toys;
            * an integer k, for a generic target: k neurons, k kernels, rank k, k nonzero
              coefficients, width k in every hidden layer; 0 is the zero function.

    Returns:
        The size or its bounds, each with the theorem that gives it, parameters of the model that
        attain it, and what the printed formula says.

    Raises:
        NotExpressibleError: if no parameters of the model give the target, saying why; the
            optimistic sample size is then undefined.
        InvalidInputError: if the target is of another kind or shape.
        UnsupportedModuleError: if nothing is known about the model.

    References:
        Zhang et al., JMLR 26(69), 2025, Def. 3 and Theorems 1, 3 to 6; Zhang et al., J. Mach.
        Learn. 4(3), 2025.

    Example:
        >>> from llr.models import PaperTeacherMLP, SharedTanhConv1D
        >>> optimistic_sample_size(SharedTanhConv1D(5, width=100, kernel_size=3), PaperTeacherMLP())
        SampleSize
          optimistic sample size  7, by Theorem 5, biases counted
          target                  3 neurons in 1 kernel
          model parameters        700
          published               7 = K (s + (d + 1 - s) + 1), Theorem 5, biases counted
    """
    frozen = [name for name, value in model.named_parameters() if not value.requires_grad]
    if frozen:
        raise InvalidInputError(
            "every parameter of the model must be trainable, because the target may be expressed "
            f"by any of its values; got frozen {frozen}. Call model.requires_grad_(True)."
        )
    size = _size(model, target)
    wanted = dict(model.named_parameters())
    witness = {name: size.witness[name].detach().to(value) for name, value in wanted.items()}
    return replace(size, witness=witness, model=model)


def _size(
    model: nn.Module, target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int
) -> SampleSize:
    """The sample size, from the family's function."""
    if isinstance(model, MatrixFactorization):
        return factorization_size(model, target)
    if isinstance(model, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        return vector_model_size(model, target)
    linear = linear_layers(model)
    if linear is not None:
        return linear_model_size(model, linear, target)
    structure, layers = _covered_structure(model), read_fully_connected(model)
    convolution = two_layer_structure(model, activation=None)
    if convolution is None and layers is None:
        raise UnsupportedModuleError(
            "optimistic_sample_size must be given a two-layer network, a fully connected "
            "network, a linear or diagonal network, a matrix factorisation or a toy, got "
            f"{type(model).__name__}. Nothing is known about others; llr.model_rank at parameters "
            "of the target gives an upper bound."
        )
    if not isinstance(target, (nn.Module, Mapping, int)):
        raise InvalidInputError(
            "target must be a module, a state dict or a width for a network, got "
            f"{type(target).__name__}."
        )
    if structure is not None:
        return two_layer_size(structure, target)
    if layers is None:
        assert convolution is not None
        return convolution_bounds(convolution, target)
    if has_activation_size(layers) and layers.activation != "tanh":
        return activation_size(model, layers, target)
    if has_exact_size(layers):
        return deep_tanh_size(model, layers, target)
    return deep_network_size(model, layers, target)


def _covered_structure(model: nn.Module) -> TwoLayerStructure | None:
    """The structure of a tanh network, or of a convolution with another odd activation."""
    structure = two_layer_structure(model, activation=None)
    if structure is None or structure.activation == "tanh":
        return structure
    row = row_of(structure.activation)
    odd = row is not None and isinstance(row.kind, Smooth) and row.kind.symmetry == Symmetry(-1)
    return structure if odd and read_fully_connected(model) is None else None
