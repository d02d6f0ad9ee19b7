"""The narrowest network with almost the same function: search over widths."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from llr.diagnostics.condensing._condensed_network import CondensedNetwork, RankSource
from llr.diagnostics.condensing._joint_fit import fit_jointly
from llr.diagnostics.condensing._narrow_module import narrow_module
from llr.diagnostics.condensing._reduce_layers import reduce_layers
from llr.diagnostics.condensing._unit_fates import unit_fates
from llr.diagnostics.condensing._wide_values import (
    LayeredFunction,
    WideValues,
    read_function,
    wide_values,
)
from llr.diagnostics.condensing._width_curve import WidthCurve, is_settled, read_curve
from llr.errors import (
    InvalidInputError,
    LLRError,
    UnsupportedModuleError,
    check_number,
    check_positive_int,
    kind_of,
)
from llr.models import layered_network
from llr.seeds import generator
from llr.tangent import as_function, as_samples, input_shape, model_rank
from llr.theory import formal_rank, optimistic_sample_size
from llr.theory.sizes import SampleSize

__all__ = ["condense"]

MAX_WIDTH = 10
LEAST_SAMPLES, MOST_ROWS = 200, 20_000
ROWS_PER_PARAMETER = 4  # of the widest narrow network
SHRUNK = 3.0  # by how much the error may grow where a layer is made narrower than the others


def condense(
    model: nn.Module,
    x: object = None,
    *,
    tol: float | None = None,
    max_width: int | None = None,
    certified: bool = False,
    seed: int = 0,
) -> CondensedNetwork:
    r"""The narrowest network found that has almost the same function.

    For each width k = 1, 2, ... the network of the model's own kind with k units in each hidden
    layer is fitted to the model's function f by least squares with exact derivatives, and the
    relative error

    .. math::
        e_k = \min_\theta \|f_k(\cdot; \theta) - f\| \,/\, \|f - \bar f\|

    is taken on samples that were not fitted. Where e_k falls by a factor of 100 or more at one
    width, to below 0.01, and far less at all others, the function is that of a network of this
    width, up to e_k: the edge. At parameters found by training this answers what singular values
    cannot: such parameters are not near a point of low rank, but their function can be near that
    of a narrow network. Layers are fitted from the first one up, each from units of the wide
    network (chosen one by one, by clusters up to sign, and at random), and deep networks then as
    a whole; last, each hidden layer of a deep network is made as narrow as the error allows.

    The widths are upper bounds: a narrower network may have been missed. ``intrinsic_form(tol=)``
    merges units whose parameters are equal; ``condense`` looks at the function alone.

    Args:
        model: a chain of linear, convolutional and average pooling layers with activations of
            ``llr.models.ACTIVATIONS``: a two-layer network or ``MLP`` of ``llr.models``, or
            ``nn.Sequential``; in eval mode, with at least one hidden layer.
        x: samples (n, ...) on which the functions are compared, a quarter of them held out. None:
            standard normal inputs of the model's input shape.
        tol: relative error that is to be reached. None: look for an edge.
        max_width: the widest network that is tried; None: 10, or the model's own width.
        certified: whether the rank is to be proved (needs ``llr[certify]``).
        seed: of the inputs and the starts.

    Returns:
        The network, the error at each width, the verdict, and the narrow network's rank and
        optimistic sample size.

    Raises:
        UnsupportedModuleError: if the model is no such chain.
        InvalidInputError: if an argument is wrong, the function is constant on the samples, or
            they are too few for a narrow network's parameters.

    References:
        Zhang et al., JMLR 26(69), 2025, Theorems 1 and 3; Golub and Pereyra, SIAM J. Numer. Anal.
        10(2), 1973.

    Example:
        >>> import torch, llr
        >>> wide = llr.TwoLayerTanhMLP(5, width=30)
        >>> target = llr.PaperTeacherMLP(hidden_bias=True)
        >>> wide.load_state_dict(llr.optimistic_sample_size(wide, target).witness)
        <All keys matched successfully>
        >>> found = condense(wide)
        >>> found.width, found.verdict, found.rank, found.optimistic_sample_size
        (3, 'clear', 21, 21)
    """
    if tol is not None:
        check_number("tol", tol, above=0.0, below=1.0)
    search = _Search.of(model, x, max_width, seed)
    reduced, curve = search.curve(tol)
    if curve.width is not None:
        reduced = search.shrunk(reduced, SHRUNK * curve.errors[curve.width - 1])
    error = search.error(reduced)
    network = narrow_module(model, reduced)
    rank, source, size = None, None, None
    if curve.width is not None:
        rank, source = _rank(network, torch.cat([search.fitted, search.tested]), certified, seed)
        size = _sample_size(model, network)
    return CondensedNetwork(
        network=network,
        widths=reduced.widths,
        curve=curve,
        error=error,
        rank=rank,
        rank_source=source,
        sample_size=size,
        units=unit_fates(search.wide, reduced, search.fitted, error),
        n_parameters=sum(value.numel() for value in model.parameters()),
        message=_message(curve, search, tol),
    )


@dataclass(frozen=True, eq=False)
class _Search:
    """A wide network, samples to fit and samples to test."""

    model: nn.Module
    wide: WideValues
    fitted: Tensor
    tested: Tensor
    max_width: int
    seed: int

    @classmethod
    def of(cls, model: nn.Module, x: object, max_width: int | None, seed: int) -> _Search:
        """Read the model and split or draw samples."""
        if not isinstance(model, nn.Module):
            raise InvalidInputError(f"model must be an nn.Module, got {kind_of(model)}.")
        given = _given(model, x)
        shape = input_shape(as_function(model)) if given is None else tuple(given.shape[1:])
        network = layered_network(model, shape)
        if network is None or sum(layer.weight is not None for layer in network.layers) < 2:
            raise UnsupportedModuleError(
                "condense must be given a chain of linear, convolutional and average pooling "
                "layers with elementwise activations and at least one hidden layer, in eval mode, "
                f"got {type(model).__name__}. Build it as nn.Sequential of these, or condense "
                "such a part of it on the inputs of that part."
            )
        function = read_function(model, network)
        most = min(max(function.widths), MAX_WIDTH)
        if max_width is not None:
            most = min(check_positive_int("max_width", max_width), max(function.widths))
        source = generator(seed, "probe", "inputs")
        if given is None:
            n = _sample_count(function, most, network.n_outputs)
            draws = (torch.randn(n, *shape, generator=source, dtype=torch.float64) for _ in "ab")
            fitted, tested = draws
        else:
            order = torch.randperm(len(given), generator=source)
            fitted, tested = (given[part] for part in order.tensor_split([3 * len(given) // 4]))
        search = cls(model, wide_values(function, fitted, seed), fitted, tested, most, seed)
        search.check_samples()
        return search

    def check_samples(self) -> None:
        """Refuse samples that say nothing about the function."""
        wide = self.wide.function
        rows = self.fitted.shape[0] * wide.network.n_outputs
        needed = _parameters(wide, 1)
        if len(self.tested) < 2 or rows < needed:
            raise InvalidInputError(
                "x must hold more numbers of output than the narrowest network has parameters, "
                f"{needed}, on three quarters of its samples, got {rows}. Pass more samples, or "
                "x=None for standard normal inputs."
            )
        for y in (wide.outputs(self.fitted), wide.outputs(self.tested)):
            if not bool(y.isfinite().all()):
                raise InvalidInputError("the outputs at the samples must be finite numbers.")
            if float((y - y.mean(0)).norm()) <= 1e-12 * float(y.norm()):
                raise InvalidInputError(
                    "the model's function must vary over the samples, but it is constant there, "
                    "so that no width is needed. Pass other samples x."
                )

    def error(self, reduced: LayeredFunction) -> float:
        """Relative error of a reduced network on the samples that were not fitted."""
        wanted = self.wide.function.outputs(self.tested)
        difference = reduced.outputs(self.tested) - wanted
        return float(difference.norm() / (wanted - wanted.mean(0)).norm())

    def reduce(self, widths: tuple[int, ...], narrower: LayeredFunction | None) -> LayeredFunction:
        """The network of given widths that fits best, of those found."""
        reduced = reduce_layers(self.wide, widths, narrower, self.seed)
        if len(widths) == 1:
            return reduced
        wanted = self.wide.function.outputs(self.fitted)
        return fit_jointly(self.model, reduced, self.fitted, wanted)

    def curve(self, tol: float | None) -> tuple[LayeredFunction, WidthCurve]:
        """The error at each width, and the network at the edge (or the widest one)."""
        widest, found, errors = self.wide.function.widths, list[LayeredFunction](), list[float]()
        rows = self.fitted.shape[0] * self.wide.function.network.n_outputs
        for k in range(1, self.max_width + 1):
            if k > 1 and _parameters(self.wide.function, k) > rows:
                break
            widths = tuple(min(k, width) for width in widest)
            found.append(self.reduce(widths, found[-1] if found else None))
            errors.append(self.error(found[-1]))
            if is_settled(tuple(errors), tol, max(widest)):
                break
        curve = read_curve(tuple(errors), tol, max(widest))
        return found[-1 if curve.width is None else curve.width - 1], curve

    def shrunk(self, reduced: LayeredFunction, most: float) -> LayeredFunction:
        """A deep network with each layer as narrow as the error allows, the first one first."""
        if len(reduced.widths) == 1:
            return reduced
        for l in range(len(reduced.widths)):
            while reduced.widths[l] > 1:
                widths = list(reduced.widths)
                widths[l] -= 1
                narrower = self.reduce(tuple(widths), None)
                if not self.error(narrower) <= most:
                    break
                reduced = narrower
        return reduced


def _given(model: nn.Module, x: object) -> Tensor | None:
    """The caller's samples in float64 on the CPU."""
    if x is None:
        return None
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    samples = as_samples(x, device)
    if not isinstance(samples, Tensor):
        raise InvalidInputError(
            f"x must be one tensor of samples for condense, got a {type(samples).__name__}."
        )
    return samples.to(device="cpu", dtype=torch.float64)


def _parameters(function: LayeredFunction, width: int) -> int:
    """Number of parameters with ``width`` channels in each hidden layer."""
    count, below = 0, None
    for l, (part, weights) in enumerate(zip(function.layers, function.weights, strict=True)):
        last = l == len(function.layers) - 1
        channels = weights.channels if last else min(width, weights.channels)
        per_channel = weights.weight[0].numel()
        if below is not None:
            per_channel = per_channel // part.layer.channels_in * below
        if weights.bias is not None:
            per_channel += weights.bias[0].numel()
        count, below = count + channels * per_channel, channels
    return count


def _sample_count(function: LayeredFunction, width: int, n_outputs: int) -> int:
    """How many samples to draw."""
    wanted = math.ceil(ROWS_PER_PARAMETER * _parameters(function, width) / n_outputs)
    return max(LEAST_SAMPLES, min(wanted, MOST_ROWS // n_outputs))


def _rank(network: nn.Module, x: Tensor, certified: bool, seed: int) -> tuple[int, RankSource]:
    """The rank of the narrow network, exact where a theorem gives it, else on all samples."""
    if certified:
        from llr.certify import certify_rank  # needs an extra

        proved = certify_rank(network, seed=seed)
        if proved.lower == proved.upper:
            return proved.lower, "certified"
    try:
        return formal_rank(network), "exact"
    except UnsupportedModuleError:
        return model_rank(network, x, param_error=0.0, seed=seed).rank, "measured"


def _sample_size(model: nn.Module, network: nn.Module) -> SampleSize | None:
    """The optimistic sample size of the narrow function in the wide model, if it is known."""
    return _or_none(lambda: optimistic_sample_size(model, network))


def _or_none(ask: Callable[[], SampleSize]) -> SampleSize | None:
    try:
        return ask()
    except LLRError:
        return None


def _message(curve: WidthCurve, search: _Search, tol: float | None) -> str:
    """What to make of the curve."""
    tried = len(curve.errors)
    if curve.verdict == "clear":
        return ""
    if curve.verdict == "ambiguous" and tol is None:
        return "The error falls sharply at more than one width; the sharpest fall counts."
    if curve.verdict == "ambiguous":
        return f"The error reaches tol={tol:g} without a sharp fall at this width."
    wanted = "reaches tol" if tol is not None else "falls sharply"
    more = (
        f" Pass max_width= to try more than {tried}."
        if tried < max(search.wide.function.widths)
        else ""
    )
    return (
        f"At no width up to {tried} the error {wanted}: the function is not seen to be that of a "
        f"narrow network, so there is no rank to state.{more}"
    )
