"""Targets: the functions to recover, as float64 modules with fixed weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from llr.data._inputs import sample_normal
from llr.data._matrices import PAPER_MATRICES, MatrixName
from llr.data._network_of_weights import module_from_weights
from llr.data._weights_file import read_weights
from llr.errors import InvalidInputError, check_choice, check_positive_int
from llr.models import (
    MatrixFactorization,
    ModelSizes,
    PaperTeacherMLP,
    TwoLayerTanhMLP,
    build_model,
)
from llr.seeds import generator

__all__ = [
    "RANDOM_TARGET_MODELS",
    "TARGET_NAMES",
    "RandomTargetModel",
    "TargetName",
    "make_target",
    "matrix_target",
]

TargetName = Literal["paper", "three_bumps", "affine", "random", "file", MatrixName]
TARGET_NAMES: tuple[TargetName, ...] = get_args(TargetName)

RandomTargetModel = Literal[
    "mlp",
    "cnn_shared",
    "cnn_noshare",
    "cnn_shared_2d",
    "cnn_noshare_2d",
    "deep_mlp",
    "matrix",
    "linear",
]
RANDOM_TARGET_MODELS: tuple[RandomTargetModel, ...] = get_args(RandomTargetModel)


def make_target(
    name: TargetName,
    *,
    input_dim: int | None = None,
    model: RandomTargetModel = "mlp",
    width: int = 1,
    kernel_size: int = 3,
    hidden_bias: bool = False,
    activation: str = "tanh",
    depth: int = 3,
    seed: int = 0,
    coefficients: Sequence[float] = (),
    path: str | Path | None = None,
) -> nn.Module:
    """The target function f* of a recovery experiment.

    Args:
        name: ``"paper"``, sum_i tanh(0.6 x_i + 0.8 x_{i+1} + x_{i+2});
            ``"three_bumps"``, tanh(x - 7) + tanh(x) + tanh(x + 7);
            ``"affine"``, c_0 + sum_j c_j x_j;
            ``"random"``, drawn from a seed;
            ``"file"``, read from a weights file (see :func:`read_weights`);
            ``"M1"`` ... ``"M8"``, the papers' matrices (M5 is our own, see
            :data:`PAPER_MATRICES`).
        input_dim: d (squares and matrices: side length); for ``paper`` (default 5), ``random``.
        model: what a random target is. Networks: standard normal input weights, output weights
            of random sign and size uniform in (0.5, 1.5), so that none vanishes. ``"matrix"``: a
            d x d matrix of rank ``width``. ``"linear"``: ``width`` nonzero coefficients, drawn as
            output weights are.
        width: number of neurons (deep_mlp: in each hidden layer) or kernels of a random target,
            its rank, or its sparsity.
        kernel_size: s, for a random convolutional target.
        hidden_bias: whether a random network has (standard normal) hidden biases.
        activation: of a random network.
        depth: number of layers of weights, for a random deep_mlp.
        seed: of a random target.
        coefficients: c_0..c_d of an affine target.
        path: the weights file.

    Returns:
        A float64 module with parameters that require no gradient.

    Raises:
        InvalidInputError: if the name is unknown, a size impossible, or the file unusable.

    References:
        Zhang et al., JMLR 26(69), 2025, Eq. (8) and Fig. 4; J. Mach. Learn. 4(3), 2025, Fig. 2.

    Example:
        >>> target = make_target("three_bumps")
        >>> round(target(torch.tensor([[7.0]], dtype=torch.float64)).item(), 5)
        2.0
    """
    check_choice("target", name, TARGET_NAMES)
    if name == "paper":
        target: nn.Module = PaperTeacherMLP(5 if input_dim is None else input_dim)
    elif name == "three_bumps":
        target = _three_bumps()
    elif name == "affine":
        target = _affine(coefficients)
    elif name == "random":
        if input_dim is None:
            raise InvalidInputError("a random target needs input_dim, the number of its inputs.")
        sizes = ModelSizes(
            input_dim,
            width,
            kernel_size=kernel_size,
            depth=depth,
            hidden_bias=hidden_bias,
            activation=activation,
        )
        target = _random_target(model, sizes, seed)
    elif name == "file":
        if path is None:
            raise InvalidInputError("a target from a file needs path, the weights file.")
        target = module_from_weights(read_weights(path), source=str(path))
    else:
        target = matrix_target(PAPER_MATRICES[name])
    return target.requires_grad_(False)


def matrix_target(matrix: Tensor) -> MatrixFactorization:
    """A matrix as a function of one-hot pairs: its factorisation into itself and the identity.

    Args:
        matrix: (d1, d2).

    Returns:
        A float64 module with f(e_i, e_j) = matrix_ij.

    Raises:
        InvalidInputError: if it has not two axes.

    Example:
        >>> matrix_target(torch.eye(2))(torch.tensor([[1.0, 0.0, 0.0, 1.0]]).double()).item()
        0.0
    """
    if matrix.dim() != 2:
        raise InvalidInputError(f"matrix must have two axes, got shape {tuple(matrix.shape)}.")
    target = module_from_weights({"matrix": matrix.to(torch.float64)}, source="matrix")
    assert isinstance(target, MatrixFactorization)
    return target.requires_grad_(False)


def _three_bumps() -> nn.Module:
    """f*(x) = tanh(x - 7) + tanh(x) + tanh(x + 7)."""
    target = TwoLayerTanhMLP(1, width=3, generator=torch.Generator())
    shifts = torch.tensor([-7.0, 0.0, 7.0], dtype=torch.float64)
    weights = {"hidden.weight": torch.ones(3, 1), "hidden.bias": shifts}
    target.load_state_dict({**weights, "output.weight": torch.ones(1, 3)})
    return target


def _affine(coefficients: Sequence[float]) -> nn.Module:
    """f*(x) = c_0 + sum_j c_j x_j."""
    values = torch.tensor(coefficients, dtype=torch.float64)
    if values.dim() != 1 or len(values) < 2 or not bool(torch.isfinite(values).all()):
        raise InvalidInputError(
            "coefficients must be c_0..c_d, finite numbers, one more than there are inputs, got "
            f"{coefficients!r}."
        )
    weights = {"layers.0.weight": values[None, 1:], "layers.0.bias": values[:1]}
    return module_from_weights(weights)


def _bounded_away_from_zero(*shape: int, stream: torch.Generator) -> Tensor:
    """Random signs times sizes uniform in (0.5, 1.5)."""
    signs = 2.0 * torch.randint(0, 2, shape, generator=stream) - 1.0
    return signs * (0.5 + torch.rand(shape, generator=stream, dtype=torch.float64))


def _random_target(model: RandomTargetModel, sizes: ModelSizes, seed: int) -> nn.Module:
    """A target of the given kind and sizes, drawn from the seed's target stream."""
    d, width = sizes.input_dim, sizes.width
    check_choice("model", model, RANDOM_TARGET_MODELS)
    check_positive_int("input_dim", d)
    check_positive_int("width", width)
    stream = generator(seed, "target", model)
    if model in ("matrix", "linear") and width > d:
        raise InvalidInputError(
            f"width of a random {model} target must be at most {d}, got {width}."
        )
    if model == "matrix":
        left, right = (sample_normal(width, shape=(d,), generator=stream) for _ in range(2))
        return module_from_weights({"left": left.T, "right": right})
    if model == "linear":
        coefficients = torch.zeros(1, d, dtype=torch.float64)
        places = torch.randperm(d, generator=stream)[:width]
        coefficients[0, places] = _bounded_away_from_zero(width, stream=stream)
        return module_from_weights({"layers.0.weight": coefficients})
    target = build_model(model, sizes, generator=stream)
    last = "output." if model != "deep_mlp" else f"layers.{sizes.depth - 1}."
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            if not name.startswith(last):
                parameter.copy_(torch.randn(parameter.shape, generator=stream, dtype=torch.float64))
            else:
                parameter.copy_(_bounded_away_from_zero(*parameter.shape, stream=stream))
    return target
