r"""The target set of a two-layer network: its branches, their dimensions, and points on them.

N units (neurons, or kernels where weights are shared) with D incoming parameters and P output
weights each express a target whose neurons are covered by n_0 distinct live units with U neurons in
all. A branch has r distinct units that are not constant; the others copy them. Every distinct
neuron gives one equation among the N P output weights, and every free unit, of which the target
needs none, has D dimensions of its own and P neurons whose output weights cancel:

    dimension = N P - U + (r - n_0) (D - P).

Where sigma(c z) = c sigma(z), each unit can be rescaled as well, and D - 1 are left for the rest.
docs/theory/separation proves that no other parameters express the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.models import ACTIVATIONS, TwoLayerStructure, TwoLayerWeights
from llr.seeds import generator
from llr.theory.sizes._oriented_function import (
    is_homogeneous,
    is_odd,
    is_plain,
    merged_function,
)
from llr.theory.sizes._representation import represent
from llr.theory.sizes._separation_result import SeparationSize, TargetBranch
from llr.theory.sizes._two_layer_sample_size import target_network
from llr.theory.sizes._unit_homes import UnitClass, classes_of, keep_rank, least_distinct

__all__ = ["two_layer_separation"]

THEOREM = "Lemma 4.2 of Luo, Zhang and Zhang (2023)"
GENERAL = "the branches of the target set (docs/theory/separation)"
ANYWHERE = 0
"""Home of units whose kernel may be anywhere."""


@dataclass(frozen=True)
class _TargetSet:
    """Counts of a target in a model.

    Attributes:
        structure: of the model.
        weights: parameters that express the target, spare units zero.
        live: places (channel, position) of the live units; position 0 where all share a kernel.
        spare: places of the spare units.
        carrier: the place of the constant unit, where the target needs one.
        neurons: U, distinct neurons of the live units.
        scaled: whether units can be rescaled.
    """

    structure: TwoLayerStructure
    weights: TwoLayerWeights
    live: tuple[tuple[int, int], ...]
    spare: tuple[tuple[int, int], ...]
    carrier: tuple[int, int] | None
    neurons: int
    scaled: bool

    @property
    def sharing(self) -> bool:
        """Whether a unit has more than one position."""
        return self.structure.shared and self.structure.positions > 1

    @property
    def outputs(self) -> int:
        """P, output weights of a unit."""
        return self.structure.positions if self.sharing else 1

    @property
    def incoming(self) -> int:
        """D, incoming parameters of a unit."""
        return self.structure.window_size + self.structure.hidden_bias

    def dimension(self, distinct: int) -> int:
        """Of the branch with that many distinct units that are not constant."""
        n = len(self.live) + len(self.spare)
        # A constant unit adds its outputs, its bias, and the equation for the constant.
        fixed = (n + bool(self.carrier)) * self.outputs - self.neurons + n * self.scaled
        return fixed + (distinct - len(self.live)) * (self.incoming - self.outputs - self.scaled)


def two_layer_separation(
    structure: TwoLayerStructure, target: nn.Module | Mapping[str, Tensor] | int, lower: int
) -> SeparationSize:
    """The separation sample size of a target in a two-layer network with one output.

    Args:
        structure: of the model.
        target: as for the optimistic sample size.
        lower: the optimistic sample size or a lower bound of it.

    Raises:
        NotExpressibleError: if the model cannot express the target.
        InvalidInputError: if the target is of another kind.
    """
    activation = structure.activation
    function = merged_function(target_network(structure, target))
    odd, m = is_odd(activation), structure.n_parameters
    words = f"{function.width} neuron{'s' * (function.width != 1)}"
    constant = bool(function.constant) and not structure.output_bias
    if constant and not odd:
        return SeparationSize(lower, m, "all parameters", "bound", f"{words} and a constant", m)
    sharing = structure.shared and structure.positions > 1
    scaled = is_homogeneous(activation)
    outputs = structure.positions if sharing else 1
    price = max(0, structure.window_size + structure.hidden_bias - outputs - scaled)
    found = represent(structure, function, price=price)
    places = _target_set(structure, found.weights, found.neurons, constant)
    branches = _branches(places)
    least = min(branch.sample_size for branch in branches)
    orientation_free = odd or not sharing
    known = is_plain(function, activation) and orientation_free and found.lower == found.upper
    cited = (
        known
        and not scaled
        and structure.positions == 1
        and not structure.output_bias
        and not constant
    )
    return SeparationSize(
        lower=least if known else min(lower, least),
        upper=least,
        theorem=THEOREM if cited else GENERAL,
        status="cited" if cited else "proved" if known else "bound",
        target=f"{words} and a constant" if constant else words,
        n_parameters=m,
        branches=branches if known else (),
    )


def _target_set(
    structure: TwoLayerStructure, weights: TwoLayerWeights, neurons: int, constant: bool
) -> _TargetSet:
    """Live, spare and constant places of a representation."""
    c, p = structure.channels, structure.positions
    sharing = structure.shared and p > 1
    live, spare, carrier = [], [], None
    for channel in range(c):
        for position in range(1 if sharing else p):
            kernel = weights.kernels[channel, 0 if structure.shared else position]
            outputs = weights.output[channel] if sharing else weights.output[channel, position]
            place = (channel, position)
            if not bool((outputs != 0).any()):
                spare.append(place)
            elif bool((kernel != 0).any()):
                live.append(place)
            else:
                carrier = place
    assert constant == (carrier is not None)
    scaled = is_homogeneous(structure.activation)
    return _TargetSet(structure, weights, tuple(live), tuple(spare), carrier, neurons, scaled)


def _branches(places: _TargetSet) -> tuple[TargetBranch, ...]:
    """All branches, the fewest distinct units first."""
    structure = places.structure
    live_homes = [_home(structure, place) for place in places.live]
    spare: dict[int, int] = {}
    for place in places.spare:
        spare[_home(structure, place)] = spare.get(_home(structure, place), 0) + 1
    overlap = places.neurons < len(places.live) * places.outputs
    kept = keep_rank(live_homes, spare, places.outputs)
    branches = []
    most = len(places.live) + len(places.spare)
    for r in range(least_distinct(live_homes, spare), most + 1):
        classes = partial(classes_of, live_homes, spare, r, places.outputs)
        dimension = places.dimension(r)
        branches.append(
            TargetBranch(
                units=r,
                constant_units=int(places.carrier is not None),
                dimension=dimension,
                sample_size=structure.n_parameters - dimension,
                morse_bott=None if overlap or places.scaled else kept[r - len(places.live)],
                _build=partial(_point, places, classes),
            )
        )
    return (*branches, *_constant_branch(places, branches))


def _constant_branch(places: _TargetSet, branches: list[TargetBranch]) -> tuple[TargetBranch, ...]:
    """All spare units constant, where that has more dimensions than any other branch."""
    structure = places.structure
    if not (places.sharing and structure.hidden_bias) or places.scaled:
        return ()
    # Each has its bias; one equation says that they add nothing, where no output bias takes it.
    free = structure.output_bias or places.carrier is not None
    n = len(places.spare)
    dimension = places.dimension(len(places.live)) + n - (not free)
    if n == 0 or (branches and dimension <= max(one.dimension for one in branches)):
        return ()
    branch = TargetBranch(
        units=len(places.live),
        constant_units=n + (places.carrier is not None),
        dimension=dimension,
        sample_size=structure.n_parameters - dimension,
        morse_bott=None,
        _build=partial(_constant_point, places),
    )
    return (branch,)


def _home(structure: TwoLayerStructure, place: tuple[int, int]) -> int:
    """Where a unit's kernel may be: its position, unless it may be anywhere."""
    return ANYWHERE if structure.shared else place[1]


def _point(places: _TargetSet, classes_at: Callable[[], list[UnitClass]]) -> Parameters:
    """Parameters on a branch: free kernels and shares of output weights drawn at random."""
    structure = places.structure
    weights = _copied(places.weights)
    stream = generator(0, "target", "branch")
    free: dict[int, list[tuple[int, int]]] = {}
    for place in places.spare:
        free.setdefault(_home(structure, place), []).append(place)
    for one in classes_at():
        spare = [free[one.home].pop() for _ in range(one.spare)]
        first = spare[0] if one.live is None else places.live[one.live]
        if one.live is None:
            kernel = torch.randn(structure.window_size, generator=stream, dtype=torch.float64)
            bias = torch.randn((), generator=stream, dtype=torch.float64)
            _set_kernel(places, weights, first, kernel, bias)
        members = [first, *(place for place in spare if place != first)]
        for place in members[1:]:
            _set_kernel(places, weights, place, *_kernel(places, weights, first))
            share = torch.randn(places.outputs, generator=stream, dtype=torch.float64)
            _outputs(places, weights, place).copy_(share)
            _outputs(places, weights, first).sub_(share)
    return structure.pack(weights)


def _constant_point(places: _TargetSet) -> Parameters:
    """Parameters with every spare unit constant, their sum taken by the last of them."""
    structure = places.structure
    weights = _copied(places.weights)
    stream = generator(0, "target", "branch")
    sigma = ACTIVATIONS[structure.activation].function
    total = torch.zeros((), dtype=torch.float64)
    for place in places.spare:
        bias = 0.5 + torch.rand((), generator=stream, dtype=torch.float64)
        kernel = torch.zeros(structure.window_size, dtype=torch.float64)
        _set_kernel(places, weights, place, kernel, bias)
        outputs = _outputs(places, weights, place)
        outputs.copy_(torch.randn(places.outputs, generator=stream, dtype=torch.float64))
        total += outputs.sum() * sigma(bias)
    if weights.output_bias is not None:
        weights.output_bias.sub_(total)
    else:
        last = places.spare[-1] if places.carrier is None else places.carrier
        _, bias = _kernel(places, weights, last)
        _outputs(places, weights, last)[0] -= total / sigma(bias)
    return structure.pack(weights)


def _copied(weights: TwoLayerWeights) -> TwoLayerWeights:
    """The weights again, to be changed."""
    return TwoLayerWeights(
        kernels=weights.kernels.clone(),
        kernel_bias=None if weights.kernel_bias is None else weights.kernel_bias.clone(),
        output=weights.output.clone(),
        output_bias=None if weights.output_bias is None else weights.output_bias.clone(),
    )


def _kernel(
    places: _TargetSet, weights: TwoLayerWeights, place: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """A unit's kernel and bias."""
    channel, position = place
    slot = 0 if places.structure.shared else position
    bias = weights.kernel_bias
    zero = torch.zeros((), dtype=torch.float64)
    return weights.kernels[channel, slot], zero if bias is None else bias[channel, slot]


def _set_kernel(
    places: _TargetSet,
    weights: TwoLayerWeights,
    place: tuple[int, int],
    kernel: Tensor,
    bias: Tensor,
) -> None:
    """Set a unit's kernel and bias, where there is one."""
    channel, position = place
    slot = 0 if places.structure.shared else position
    weights.kernels[channel, slot] = kernel
    if weights.kernel_bias is not None:
        weights.kernel_bias[channel, slot] = bias


def _outputs(places: _TargetSet, weights: TwoLayerWeights, place: tuple[int, int]) -> Tensor:
    """A view of a unit's output weights."""
    channel, position = place
    row = weights.output[channel]
    return row if places.sharing else row[position : position + 1]
