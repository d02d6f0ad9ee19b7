"""Embeddings: parameters of a wide network with the function and critical points of a narrow one.

Every embedding here gives each unit of the wide network a source: a unit of the narrow network
and a sign, or none. A unit takes its source's input weights (with the sign) and a share of its
output weights; the shares of one source add up to 1. Then the wide network computes the same
function, its tangent functions are multiples of the narrow network's, and a critical point of the
narrow network's loss goes to a critical point, for every data set.

Shares are sums of halvings (s/2, s/2) and overshoots (2 s, -s), hence powers of two: products
with them are exact, so that proportional output weights stay proportional to the last bit and the
exact rank of the wide network is that of the narrow one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import InvalidInputError, UnsupportedModuleError, check_choice
from llr.models import TwoLayerStructure, TwoLayerWeights, two_layer_structure
from llr.seeds import generator as named_generator
from llr.theory.activations import ODD, VALUE_AT_ZERO
from llr.theory.deep import FullyConnected, read_fully_connected

__all__ = ["EmbeddingMethod", "embed", "embed_layers"]

EmbeddingMethod = Literal["null", "split", "compatible"]


@dataclass(frozen=True)
class _Sources:
    """Where each of the wide layer's units comes from.

    Attributes:
        unit: index of the narrow unit, or None for a null unit.
        share: part of the narrow unit's output weights.
        sign: of input and output weights.
    """

    unit: list[int | None]
    share: list[float]
    sign: list[float]


def embed(
    narrow: nn.Module,
    wide: nn.Module,
    *,
    method: EmbeddingMethod = "null",
    generator: torch.Generator | None = None,
) -> Parameters:
    """Parameters of a wide network with the function of a narrow one, a critical mapping.

    The wide network's outputs, its model rank and the criticality of the point for every data
    set are those of the narrow network; so its optimistic sample size is at most the narrow one's.

    Args:
        narrow: a fully connected network of any depth, or a two-layer convolutional one.
        wide: a network of the same kind, depth, activation and biases, at least as wide in
            every layer. Neither module is changed.
        method: ``"null"``: new units with zero input and output weights, which needs
            sigma(0) = 0, or a bias in the layer above; ``"split"``: new units copy the input
            weights of old ones and share their output weights; ``"compatible"``: all at once
            and at random: units in any order, split and null ones, with flipped signs where
            sigma is odd.
        generator: CPU generator for the choices of ``"split"`` and ``"compatible"``; without
            one, ``"split"`` takes the units in turn with equal halves, and ``"compatible"`` a
            fixed draw.

    Returns:
        Parameters by name, keyed as ``wide.named_parameters()``, in its dtypes and devices.

    Raises:
        InvalidInputError: if the networks do not match, or null units would change the rank.
        UnsupportedModuleError: if a module is neither fully connected nor a convolution model.

    References:
        Zhang et al., "Embedding principle: a hierarchical structure of loss landscape of deep
        neural networks", J. Mach. Learn. 1(1), 2022; Zhang et al., JMLR 26(69), 2025, Theorem 3.

    Example:
        >>> from llr.models import PaperTeacherMLP, TwoLayerTanhMLP
        >>> narrow, wide = PaperTeacherMLP(), TwoLayerTanhMLP(5, width=9, hidden_bias=False)
        >>> wide.load_state_dict(embed(narrow, wide, method="split"))
        <All keys matched successfully>
        >>> x = torch.ones(1, 5, dtype=torch.float64)
        >>> bool(torch.isclose(wide(x), narrow(x)))
        True
    """
    check_choice("method", method, get_args(EmbeddingMethod))
    if method == "compatible" and generator is None:
        generator = named_generator(0, "init")
    values = {name: value.detach() for name, value in narrow.named_parameters()}
    layers = read_fully_connected(narrow), read_fully_connected(wide)
    structures = two_layer_structure(narrow), two_layer_structure(wide)
    if layers[0] is not None and layers[1] is not None:
        embedded = embed_layers(layers[0], layers[1], values, method=method, generator=generator)
    elif structures[0] is not None and structures[1] is not None:
        embedded = _embed_convolution(structures[0], structures[1], values, method, generator)
    else:
        raise UnsupportedModuleError(
            "embed must be given two fully connected networks (MLP, nn.Sequential of Linear layers "
            "and one activation) or two convolution models of one kind, got "
            f"{type(narrow).__name__} and {type(wide).__name__}."
        )
    wanted = dict(wide.named_parameters())
    return {name: embedded[name].to(wanted[name]) for name in wanted}


def embed_layers(
    narrow: FullyConnected,
    wide: FullyConnected,
    values: Mapping[str, Tensor],
    *,
    method: EmbeddingMethod,
    generator: torch.Generator | None = None,
) -> Parameters:
    """Embed fully connected layers, given the narrow network's parameters.

    Raises:
        InvalidInputError: if the networks do not match, or null units would change the rank.
    """
    _check_match(narrow, wide)
    n, odd = len(narrow.widths), narrow.activation in ODD
    sources = [_identity(narrow.sizes[0])]
    for l in range(n):
        # A null unit's d/da is sigma(0) times a derivative by the next layer's bias.
        null_allowed = VALUE_AT_ZERO[narrow.activation] == 0 or wide.biases[l + 1] is not None
        if method == "null" and wide.widths[l] > narrow.widths[l] and not null_allowed:
            raise InvalidInputError(
                f"method='null' must have sigma(0) = 0 or a bias in the layer above, got "
                f"{narrow.activation}, {VALUE_AT_ZERO[narrow.activation]:.3g} at 0, and no bias in "
                f"layer {l + 2}: a null unit's output would be a constant that raises the model "
                "rank by one. Use method='split', which costs nothing."
            )
        sources.append(
            _sources(narrow.widths[l], wide.widths[l], method, generator, odd, null_allowed)
        )
    sources.append(_identity(narrow.sizes[-1]))
    embedded: Parameters = {}
    for l in range(narrow.depth):
        into, out_of = sources[l + 1], sources[l]
        weight = _take(values[narrow.weights[l]].double(), into, dim=0, scale=into.sign)
        outgoing = [share * sign for share, sign in zip(out_of.share, out_of.sign, strict=True)]
        embedded[wide.weights[l]] = _take(weight, out_of, dim=1, scale=outgoing)
        narrow_bias, wide_bias = narrow.biases[l], wide.biases[l]
        if narrow_bias is not None and wide_bias is not None:
            bias = values[narrow_bias].double()
            embedded[wide_bias] = _take(bias, into, dim=0, scale=into.sign)
    return embedded


def _embed_convolution(
    narrow: TwoLayerStructure,
    wide: TwoLayerStructure,
    values: Mapping[str, Tensor],
    method: EmbeddingMethod,
    generator: torch.Generator | None,
) -> Parameters:
    """Embed a convolution model channel by channel."""
    pairs = [
        ("input shape", narrow.input_shape, wide.input_shape),
        ("windows (kernel size)", narrow.windows, wide.windows),
        ("weight sharing", narrow.shared, wide.shared),
        ("biases", (narrow.hidden_bias, narrow.output_bias), (wide.hidden_bias, wide.output_bias)),
    ]
    _check_equal(pairs)
    _check_widths((narrow.channels,), (wide.channels,))
    weights = narrow.unpack(values)
    sources = _sources(narrow.channels, wide.channels, method, generator, True, True)
    outgoing = [share * sign for share, sign in zip(sources.share, sources.sign, strict=True)]
    bias = weights.kernel_bias
    return wide.pack(
        TwoLayerWeights(
            kernels=_take(weights.kernels.double(), sources, dim=0, scale=sources.sign),
            kernel_bias=(
                None if bias is None else _take(bias.double(), sources, dim=0, scale=sources.sign)
            ),
            output=_take(weights.output.double(), sources, dim=0, scale=outgoing),
            output_bias=weights.output_bias,
        )
    )


def _check_match(narrow: FullyConnected, wide: FullyConnected) -> None:
    """Same depth, ends, activation and biases, and at least as wide."""
    pairs = [
        ("depth", narrow.depth, wide.depth),
        ("input size", narrow.sizes[0], wide.sizes[0]),
        ("output size", narrow.sizes[-1], wide.sizes[-1]),
        ("activation", narrow.activation, wide.activation),
        ("layers with a bias", narrow.bias_pattern, wide.bias_pattern),
    ]
    _check_equal(pairs)
    _check_widths(narrow.widths, wide.widths)


def _check_equal(pairs: Sequence[tuple[str, object, object]]) -> None:
    """What the two networks must have in common."""
    for what, of_narrow, of_wide in pairs:
        if of_narrow != of_wide:
            raise InvalidInputError(
                f"narrow and wide must have the same {what}, got {of_narrow} and {of_wide}. "
                "An embedding changes widths only; build both with the same options."
            )


def _check_widths(narrow: Sequence[int], wide: Sequence[int]) -> None:
    """Every layer of the wide network is at least as wide."""
    if any(a > b for a, b in zip(narrow, wide, strict=True)):
        raise InvalidInputError(
            f"wide must be at least as wide as narrow in every layer, got widths {tuple(wide)} "
            f"for {tuple(narrow)}. Exchange the two, or widen the second."
        )


def _identity(size: int) -> _Sources:
    """Every unit comes from itself."""
    return _Sources(list(range(size)), [1.0] * size, [1.0] * size)


def _sources(
    n_narrow: int,
    n_wide: int,
    method: EmbeddingMethod,
    generator: torch.Generator | None,
    odd: bool,
    null_allowed: bool,
) -> _Sources:
    """Choose a source for each of the wide layer's units."""
    unit: list[int | None] = list(range(n_narrow))
    share = [1.0] * n_narrow
    for extra in range(n_wide - n_narrow):
        if method == "null" or (
            method == "compatible" and null_allowed and _draw(generator, 4) == 0
        ):
            unit.append(None)
            share.append(0.0)
            continue
        source = extra % n_narrow if generator is None else _draw(generator, n_narrow)
        # Split the largest share of the source, so that no share becomes minute.
        parent = max((i for i, u in enumerate(unit) if u == source), key=lambda i: abs(share[i]))
        whole = share[parent]
        overshoot = generator is not None and abs(whole) <= 1 and _draw(generator, 2) == 0
        share[parent] = 2 * whole if overshoot else whole / 2
        unit.append(source)
        share.append(whole - share[parent])
    sign = [1.0] * n_wide
    if method == "compatible":
        order = torch.randperm(n_wide, generator=generator).tolist()
        unit, share = [unit[i] for i in order], [share[i] for i in order]
        if odd:
            sign = [1.0 - 2.0 * _draw(generator, 2) for _ in range(n_wide)]
    return _Sources(unit, share, sign)


def _draw(generator: torch.Generator | None, n: int) -> int:
    """An integer in 0..n-1."""
    return int(torch.randint(n, (), generator=generator))


def _take(values: Tensor, sources: _Sources, *, dim: int, scale: Sequence[float]) -> Tensor:
    """Slices of ``values`` along ``dim`` by source, scaled; zero for null units."""
    index = torch.tensor([u or 0 for u in sources.unit], device=values.device)
    factor = torch.tensor(
        [0.0 if u is None else f for u, f in zip(sources.unit, scale, strict=True)],
        dtype=values.dtype,
        device=values.device,
    )
    shape = [-1 if axis == dim else 1 for axis in range(values.dim())]
    return values.index_select(dim, index) * factor.reshape(shape)
