"""The network that named weights belong to, recognised by names and shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from llr.data._weights_file import WEIGHTS_HINT
from llr.errors import InvalidInputError, did_you_mean, nearest, quoted_list
from llr.models import MLP, MatrixFactorization, ModelName, ModelSizes, build_model

__all__ = ["module_from_weights"]


def module_from_weights(weights: Mapping[str, Tensor], *, source: str = "weights") -> nn.Module:
    """The network that named tensors belong to, recognised by its names and shapes.

    Args:
        weights: tensors by name: ``hidden.weight``, ``output.weight`` and their biases for a
            two-layer tanh network, fully connected (m, d) or convolutional as in
            ``llr.models`` (``0.``/``2.`` instead, for an ``nn.Sequential``); ``layers.0.weight``,
            ``layers.1.weight``, ... for a deep one; ``left`` and ``right`` for a factorised
            matrix, ``matrix`` for a whole one.
        source: name of the weights, for messages.

    Returns:
        A float64 module with these weights.

    Raises:
        InvalidInputError: naming the key that is missing, unknown, or has a wrong shape.

    Example:
        >>> weights = {"hidden.weight": torch.ones(3, 5), "output.weight": torch.ones(1, 3)}
        >>> module_from_weights(weights)(torch.ones(1, 5, dtype=torch.float64)).shape
        torch.Size([1, 1])
    """
    weights = _canonical_names(weights)
    if "matrix" in weights:
        weights = _factorised(weights, source)
    if "left" in weights or "right" in weights:
        module = _matrix_model(weights, source)
    elif any(name.startswith("layers.") for name in weights):
        module = _deep_model(weights, source)
    else:
        module = _two_layer_model(weights, source)
    _check_same_keys(weights, module.state_dict(), source)
    module.load_state_dict(weights)
    return module


def _canonical_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of ``Sequential(Linear, Tanh, Linear)`` as those of the two-layer models."""
    rename = {"0": "hidden", "2": "output"}
    return {
        ".".join([rename.get(name.split(".")[0], name.split(".")[0]), *name.split(".")[1:]]): value
        for name, value in weights.items()
    }


def _take(weights: Mapping[str, Tensor], name: str, n_axes: tuple[int, ...], source: str) -> Tensor:
    """A tensor that must be there, with one of the given numbers of axes and no empty axis."""
    if name not in weights:
        close = nearest(name, weights)
        hint = f" Did {close!r} mean {name!r}?" if close else ""
        raise InvalidInputError(
            f"{source}: {name} is missing among {quoted_list(weights)}; expected {WEIGHTS_HINT}."
            f"{hint}"
        )
    tensor = weights[name]
    if tensor.dim() not in n_axes or 0 in tensor.shape:
        raise InvalidInputError(
            f"{source}: {name} must have {' or '.join(str(axes) for axes in n_axes)} axes, none "
            f"of them empty, got shape {tuple(tensor.shape)}."
        )
    return tensor


def _factorised(weights: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """A whole matrix as the product of itself and the identity."""
    matrix = _take(weights, "matrix", (2,), source)
    identity = torch.eye(matrix.shape[1], dtype=torch.float64)
    rest = {name: value for name, value in weights.items() if name != "matrix"}
    return {"left": matrix, "right": identity, **rest}


def _matrix_model(weights: Mapping[str, Tensor], source: str) -> nn.Module:
    """A factorised matrix."""
    left, right = (_take(weights, name, (2,), source) for name in ("left", "right"))
    d1, q, d2 = left.shape[0], left.shape[1], right.shape[1]
    return MatrixFactorization(d1, d2, width=q, generator=torch.Generator())


def _deep_model(weights: Mapping[str, Tensor], source: str) -> nn.Module:
    """A fully connected tanh network of the depth that its layers have."""
    names = [name for name in weights if name.startswith("layers.") and name.endswith(".weight")]
    layers = [_take(weights, f"layers.{l}.weight", (2,), source) for l in range(max(1, len(names)))]
    last = len(layers) - 1
    return MLP(
        layers[0].shape[1],
        widths=[layer.shape[0] for layer in layers[:-1]],
        hidden_bias=any(f"layers.{l}.bias" in weights for l in range(last)),
        output_bias=f"layers.{last}.bias" in weights,
        generator=torch.Generator(),
    )


def _two_layer_model(weights: Mapping[str, Tensor], source: str) -> nn.Module:
    """A two-layer tanh network: which one, the axes of its hidden weight say."""
    hidden = _take(weights, "hidden.weight", (2, 3, 4, 6), source)
    output = _take(weights, "output.weight", (2,), source)
    width, s = hidden.shape[0], hidden.shape[-1]
    positions = output.shape[1] // width
    name: ModelName
    if hidden.dim() == 2:
        name, d = "mlp", s
    elif hidden.dim() == 3:
        name, d = "cnn_shared", positions + s - 1
    elif hidden.dim() == 6:
        name, d = "cnn_noshare_2d", hidden.shape[1] + s - 1
    elif hidden.shape[1] == 1 and hidden.shape[2] == s:
        name, d = "cnn_shared_2d", math.isqrt(positions) + s - 1
    else:
        name, d = "cnn_noshare", hidden.shape[1] + s - 1
    sizes = ModelSizes(
        d,
        width,
        kernel_size=s,
        hidden_bias="hidden.bias" in weights,
        output_bias="output.bias" in weights,
    )
    try:
        return build_model(name, sizes, generator=torch.Generator())
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{source}: hidden.weight {tuple(hidden.shape)} and output.weight "
            f"{tuple(output.shape)} do not make a two-layer tanh network: {error}"
        ) from None


def _check_same_keys(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str
) -> None:
    """Names and shapes must be those of the module."""
    for name in weights:
        if name not in expected:
            raise InvalidInputError(
                f"{source}: {name} is not a weight of this network; valid are "
                f"{quoted_list(expected)}.{did_you_mean(name, expected)}"
            )
    for name, tensor in expected.items():
        if name not in weights:
            raise InvalidInputError(f"{source}: {name} is missing.")
        if weights[name].shape != tensor.shape:
            raise InvalidInputError(
                f"{source}: {name} must have shape {tuple(tensor.shape)} beside the other "
                f"weights, got {tuple(weights[name].shape)}."
            )
