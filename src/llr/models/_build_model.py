"""Models by name, as configs call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import nn

from llr.errors import InvalidInputError, check_choice, check_positive_int
from llr.models._convolution import NoShareConv1D, NoShareConv2D, SharedConv1D, SharedConv2D
from llr.models._factorization import MatrixFactorization
from llr.models._fully_connected import MLP, TwoLayerMLP, TwoLayerTanhMLP
from llr.models._tanh_convolution import (
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
)
from llr.models._toy import DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear

__all__ = ["MODEL_NAMES", "ModelName", "ModelSizes", "build_model", "scaled_width"]

ModelName = Literal[
    "mlp",
    "cnn_shared",
    "cnn_noshare",
    "cnn_shared_2d",
    "cnn_noshare_2d",
    "deep_mlp",
    "matrix_factorization",
    "diagonal",
    "difference_of_squares",
    "toy_linear",
    "toy_nonlinear",
]
MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)

_TANH_CONVOLUTIONS = {
    "cnn_shared": SharedTanhConv1D,
    "cnn_noshare": NoShareTanhConv1D,
    "cnn_shared_2d": SharedTanhConv2D,
    "cnn_noshare_2d": NoShareTanhConv2D,
}
_CONVOLUTIONS = {
    "cnn_shared": SharedConv1D,
    "cnn_noshare": NoShareConv1D,
    "cnn_shared_2d": SharedConv2D,
    "cnn_noshare_2d": NoShareConv2D,
}


@dataclass(frozen=True)
class ModelSizes:
    """Sizes that name a model of every architecture.

    Attributes:
        input_dim: d (square inputs and matrices: side length; the toys: 2).
        width: hidden neurons (mlp, deep_mlp: of each hidden layer), kernels (cnn), inner
            dimension (matrix_factorization); the others have none.
        kernel_size: s, for the convolution models.
        depth: number of layers of weights, for deep_mlp (>= 2) and diagonal (>= 1).
        hidden_bias: for the networks.
        output_bias: for the networks.
        activation: of the hidden units of the networks, a key of ``ACTIVATIONS``.
        widths: the width of each hidden layer, for deep_mlp; in place of width and depth.
    """

    input_dim: int
    width: int
    kernel_size: int = 3
    depth: int = 3
    hidden_bias: bool = True
    output_bias: bool = False
    activation: str = "tanh"
    widths: tuple[int, ...] | None = None


def scaled_width(name: ModelName, scale: int, *, input_dim: int, kernel_size: int = 3) -> int:
    """Width of the papers' "Nx" student: equally many hidden neurons for every architecture.

    Args:
        name: architecture.
        scale: N, at least 1.
        input_dim: d.
        kernel_size: s.

    Returns:
        N kernels for the convolution models; N (d - s + 1) neurons for the fully connected ones;
        N for every other model.

    Raises:
        InvalidInputError: if a size is impossible or the name unknown.

    References:
        Zhang et al., JMLR 26(69), 2025, Fig. 3.

    Example:
        >>> scaled_width("mlp", 10, input_dim=5), scaled_width("cnn_shared", 10, input_dim=5)
        (30, 10)
    """
    check_choice("model", name, MODEL_NAMES)
    check_positive_int("scale", scale)
    if name not in ("mlp", "deep_mlp"):
        return scale
    if kernel_size > input_dim:
        raise InvalidInputError(
            f"kernel_size must be at most input_dim = {input_dim} for a scaled width, got "
            f"{kernel_size}. Give a width instead of a scale, or a smaller kernel."
        )
    return scale * (input_dim - kernel_size + 1)


def build_model(
    name: ModelName,
    sizes: ModelSizes,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """A model by its config name.

    Args:
        name: architecture.
        sizes: all sizes; those that the architecture does not have are ignored.
        dtype: of the parameters.
        device: of the parameters.
        generator: CPU generator for PyTorch's default initialisation; None: the global one.

    Returns:
        The module.

    Raises:
        InvalidInputError: if a size is impossible, or the name or the activation unknown.

    Example:
        >>> build_model("cnn_shared", ModelSizes(input_dim=5, width=2)).structure.n_parameters
        14
        >>> build_model("deep_mlp", ModelSizes(5, 1, activation="relu", widths=(20, 10))).widths
        (20, 10)
    """
    check_choice("model", name, MODEL_NAMES)
    d, m = sizes.input_dim, sizes.width
    common = {"dtype": dtype, "device": device, "generator": generator}
    biases = {"hidden_bias": sizes.hidden_bias, "output_bias": sizes.output_bias}
    sigma = sizes.activation
    if sigma == "tanh":
        two_layers = partial(TwoLayerTanhMLP, d)
        convolution = _TANH_CONVOLUTIONS.get(name)
    else:
        two_layers = partial(TwoLayerMLP, d, activation=sigma)
        general = _CONVOLUTIONS.get(name)
        convolution = general and partial(general, activation=sigma)
    widths = [m] * (sizes.depth - 1) if sizes.widths is None else sizes.widths
    builders: dict[ModelName, Callable[[], nn.Module]] = {
        "mlp": lambda: two_layers(width=m, **biases, **common),
        "deep_mlp": lambda: MLP(d, widths=widths, activation=sigma, **biases, **common),
        "matrix_factorization": lambda: MatrixFactorization(d, d, width=m, **common),
        "diagonal": lambda: DiagonalNetwork(d, depth=sizes.depth, **common),
        "difference_of_squares": lambda: DifferenceOfSquares(d, **common),
        "toy_linear": lambda: ToyLinear(**common),
        "toy_nonlinear": lambda: ToyNonlinear(**common),
    }
    if convolution is not None:
        return convolution(d, width=m, kernel_size=sizes.kernel_size, **biases, **common)
    return builders[name]()
