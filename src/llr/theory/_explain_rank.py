"""Exact ranks with what they rest on: groups of units, formula, theorem, assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from llr._show import html_block, to_json
from llr.errors import UnsupportedModuleError, quoted_list
from llr.models import (
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
)
from llr.theory.activations import ROWS, row_of
from llr.theory.deep import PolynomialRank, deep_rank, polynomial_rank, read_tanh_network
from llr.theory.linear import (
    factorization_rank,
    linear_layers,
    linear_network_rank,
    vector_model_rank,
)
from llr.theory.two_layer import CONSTANT, TwoLayerNetwork, read_two_layer, two_layer_rank

__all__ = ["RankExplanation", "UnitGroup", "explain_rank"]

GROUPS_SHOWN = 12


@dataclass(frozen=True)
class UnitGroup:
    """Hidden units with the same atoms.

    Attributes:
        units: numbers of the units, channel by channel, position by position.
        constant: whether their input weights are zero.
        live: whether some unit has a nonzero output weight.
    """

    units: tuple[int, ...]
    constant: bool
    live: bool


@dataclass(frozen=True, repr=False)
class RankExplanation:
    """An exact model rank, and why.

    Attributes:
        rank: the model rank.
        n_parameters: number of trainable parameters.
        formula: what the rank is the dimension of, or its formula.
        theorem: what it rests on, with its source.
        groups: the hidden units of a two-layer network, grouped by the functions they have.
        assumes: conjectures and stated properties that the rank rests on; empty where it is proved.
    """

    rank: int
    n_parameters: int
    formula: str
    theorem: str
    groups: tuple[UnitGroup, ...] = ()
    assumes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """One flat row: everything but the groups, of which the number is given."""
        return {
            "rank": self.rank,
            "n_parameters": self.n_parameters,
            "formula": self.formula,
            "theorem": self.theorem,
            "n_groups": len(self.groups),
            "assumes": "; ".join(self.assumes),
        }

    def to_json(self) -> str:
        """The row and the groups as JSON."""
        groups = [asdict(group) for group in self.groups]
        return to_json({**self.summary(), "assumes": self.assumes, "groups": groups})

    def __repr__(self) -> str:
        lines = [
            f"RankExplanation: rank {self.rank} of {self.n_parameters} parameters",
            f"formula  {self.formula}",
            f"theorem  {self.theorem}",
            *(f"assumes  {assumption}" for assumption in self.assumes),
        ]
        for number, group in enumerate(self.groups[:GROUPS_SHOWN]):
            shown = ", ".join(map(str, group.units[:GROUPS_SHOWN]))
            more = ", ..." if len(group.units) > GROUPS_SHOWN else ""
            kind = "constant" if group.constant else f"group {number}"
            noun = "units" if len(group.units) > 1 else "unit"
            silent = "" if group.live else ", output weights zero"
            lines.append(f"{kind:<8} {noun} {shown}{more}{silent}")
        if len(self.groups) > GROUPS_SHOWN:
            lines.append(f"... and {len(self.groups) - GROUPS_SHOWN} more groups, see .groups")
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        return html_block(repr(self))


def explain_rank(
    model: nn.Module, *, params: Mapping[str, Tensor] | None = None, seed: int = 0
) -> RankExplanation:
    """Exact model rank at a parameter point, with its groups, formula, theorem and assumptions.

    The number is that of :func:`formal_rank`, with the same one-sided error. Where it rests on a
    conjecture, or on properties stated in :func:`register_activation`, ``.assumes`` says so.

    Args:
        model: as in :func:`formal_rank`.
        params: parameters by name that replace the model's own.
        seed: of the primes; the same seed gives the same primes.

    Returns:
        The rank and what it rests on.

    Raises:
        UnsupportedModuleError: if the model belongs to no known family.
        InvalidInputError: if a parameter is not finite, or a name or shape in ``params`` is wrong.

    References:
        Zhang et al., JMLR 26(69), 2025, Def. 4 and Cor. 7; docs/theory for the other activations.

    Example:
        >>> import torch
        >>> from llr.models import TwoLayerMLP
        >>> model = TwoLayerMLP(2, width=3, activation="relu")
        >>> rows = torch.tensor([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]])
        >>> params = {"hidden.weight": rows, "hidden.bias": torch.zeros(3)}
        >>> explain_rank(model, params={**params, "output.weight": torch.ones(1, 3)})
        RankExplanation: rank 3 of 12 parameters
          formula  rank of the coefficients in: monomials, H_P times monomials
          theorem  jumps across hyperplanes (Theorem C)
          group 0  units 0, 1
          constant unit 2
    """
    network = read_two_layer(model, params, activation=None)
    if network is not None:
        return _of_two_layers(model, network, polynomial_rank(model, params, seed=seed), seed)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    layers = linear_layers(model)
    if layers is not None:
        return RankExplanation(
            linear_network_rank(model, params, layers, seed=seed),
            count,
            "sum_l (dim U_l - dim U_(l-1)) dim(V_l + ... + V_L)",
            "linear networks: images U_l of the layers above, inputs V_l of the layers",
        )
    if isinstance(model, MatrixFactorization):
        return RankExplanation(
            factorization_rank(model, params, seed=seed),
            count,
            "d1 rank(B) + d2 rank(A) - rank(A) rank(B)",
            "Zhang et al., J. Mach. Learn. 4(3), 2025, Section 4",
        )
    if isinstance(model, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        return RankExplanation(
            vector_model_rank(model, params),
            count,
            "number of the functions 1, x_j with a nonzero coefficient in some derivative",
            "independence of the coordinates",
        )
    deep = read_tanh_network(model, params)
    if deep is not None:
        return RankExplanation(
            deep_rank(deep, seed=seed),
            count,
            "c (G_(L-1) + ob) + sum_l sum_I rho_I (G_(l-1) + bias_l) without constant units",
            "deep tanh theorem (proved in docs/theory, not peer reviewed)",
        )
    powers = polynomial_rank(model, params, seed=seed)
    if powers is not None:
        return RankExplanation(
            powers.rank,
            count,
            f"rank at random inputs modulo random primes; {powers.words}",
            "independence of monomials",
        )
    raise UnsupportedModuleError(
        "formal_rank must be given a two-layer network (fully connected or convolutional) with an "
        f"activation among {quoted_list(ROWS)}, a fully connected tanh or sigmoid network of any "
        "depth, a linear network, a matrix factorisation, a diagonal network or a toy model, got "
        f"{type(model).__name__}. No closed form is known for others: use llr.model_rank, which "
        "measures; an activation of your own can be registered with "
        "llr.theory.register_activation."
    )


def _of_two_layers(
    model: nn.Module, network: TwoLayerNetwork, powers: PolynomialRank | None, seed: int
) -> RankExplanation:
    """The explanation of a two-layer network."""
    row = row_of(network.activation)
    if row is None:
        raise UnsupportedModuleError(
            f"the activation must be among {quoted_list(ROWS)}, got {network.activation!r}. "
            "Register its properties with llr.theory.register_activation, or use llr.model_rank, "
            "which measures."
        )
    found = two_layer_rank(network, row, seed=seed)
    live = (network.units.output != 0).any(axis=1)
    groups = []
    for number in [*range(int(found.atoms.group.max(initial=CONSTANT)) + 1), CONSTANT]:
        members = np.flatnonzero(found.atoms.group == number)
        if len(members):
            groups.append(
                UnitGroup(tuple(members.tolist()), number == CONSTANT, bool(live[members].any()))
            )
    return RankExplanation(
        rank=found.rank,
        n_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        formula=f"rank of the coefficients in: {found.atoms.names}"
        + ("" if powers is None else f"; {powers.words}"),
        theorem=row.theorem,
        groups=tuple(groups),
        assumes=found.assumes,
    )
