"""The papers' tables for any sizes: formula, formal rank and measured rank side by side.

This is the one place where ``theory``, which derives ranks, meets ``tangent``, which measures them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from llr._show import html_table, to_json
from llr._types import Parameters
from llr.errors import (
    InvalidInputError,
    NotExpressibleError,
    UnsupportedModuleError,
    check_choice,
    check_positive_int,
)
from llr.models import (
    MLP,
    ModelName,
    ModelSizes,
    build_model,
    initialize,
    scaled_width,
)
from llr.seeds import generator
from llr.tangent import model_rank
from llr.theory import deep_network_bound, formal_rank, optimistic_sample_size

__all__ = [
    "BIAS_SETTINGS",
    "Measure",
    "RankRow",
    "RankTable",
    "architecture_table",
    "rank_row",
    "rank_table",
]

Measure: TypeAlias = Callable[[nn.Module], int | None]
"""A way of your own to measure the model rank of a module; None for modules that it leaves out."""

BIAS_SETTINGS: tuple[tuple[bool, bool], ...] = (
    (False, False),
    (True, False),
    (False, True),
    (True, True),
)
"""Hidden bias, output bias: none, the papers' experiments, output only, PyTorch's default."""

_TITLES = {
    1: "Table 1: fully connected networks of any depth",
    2: "Table 2: two-layer fully connected tanh networks by intrinsic width",
    3: "Table 3: one target in three architectures",
}


@dataclass(frozen=True)
class RankRow:
    """One architecture and target.

    Attributes:
        architecture: the model in words.
        width: hidden neurons, or kernels.
        hidden_bias: whether hidden units have biases.
        output_bias: whether the output has a bias.
        n_parameters: M.
        formula: the printed formula.
        theorem: where it is printed.
        formula_value: its value.
        sample_size: optimistic sample size, None where only the bound is known or undefined.
        formal_rank: exact rank at parameters of the target, None where no exact method exists.
        measured_rank: measured rank at the same parameters, None where not measured.
        note: why numbers differ, or why there are none.
    """

    architecture: str
    width: int
    hidden_bias: bool
    output_bias: bool
    n_parameters: int
    formula: str = ""
    theorem: str = ""
    formula_value: int | None = None
    sample_size: int | None = None
    formal_rank: int | None = None
    measured_rank: int | None = None
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether formula, formal and measured rank are equal as far as they are known."""
        numbers = {self.formula_value, self.sample_size, self.formal_rank, self.measured_rank}
        return len(numbers - {None}) == 1


@dataclass(frozen=True)
class RankTable:
    """Rows of architectures with formula, formal and measured rank.

    Attributes:
        title: what the table is.
        rows: the rows.
    """

    title: str
    rows: tuple[RankRow, ...]

    def summary(self) -> dict[str, int | str | bool]:
        """One flat row: the title, how many rows, in how many the numbers agree."""
        agree = sum(row.agrees for row in self.rows)
        return {"title": self.title, "rows": len(self.rows), "agree": agree}

    def to_json(self) -> str:
        """Title and rows as JSON."""
        return to_json({"title": self.title, "rows": [asdict(row) for row in self.rows]})

    def cells(self) -> list[list[str]]:
        """The table as text, the header first; columns without an entry are left out."""
        names = [field.name for field in fields(RankRow)]
        values = [[_cell(getattr(row, name)) for name in names] for row in self.rows]
        used = [j for j in range(len(names)) if any(row[j] for row in values)]
        header = [names[j].replace("_", " ") for j in used]
        return [header, *([row[j] for j in used] for row in values)]

    def to_text(self) -> str:
        """The table with aligned columns."""
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )
        return "\n".join([self.title, *lines])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        header, *rows = self.cells()
        return html_table(rows, header=header, caption=self.title)


def rank_table(
    table: Literal[1, 2, 3],
    *,
    input_dim: int,
    widths: Sequence[int] = (3, 3),
    kernels: int = 1,
    kernel_size: int = 3,
    n_axes: Literal[1, 2] = 2,
    hidden_bias: bool = False,
    output_bias: bool = False,
    measure: bool | int | Measure | None = None,
) -> RankTable:
    """The papers' Tables 1 to 3 for given sizes.

    Args:
        table: 1: fully connected networks, a row for each depth 2..L; 2: two-layer
            fully connected networks, a row for each intrinsic width 0..m; 3: the three
            architectures on one target of K kernels.
        input_dim: d (table 3 with two axes: side length).
        widths: for table 1, the target's hidden widths m'_1..m'_{L-1}; for table 2, its first
            entry is the model's width m.
        kernels: K, for table 3.
        kernel_size: s, for table 3.
        n_axes: 1 or 2, for table 3 (the papers: 2).
        hidden_bias: whether hidden units have biases (the papers' tables: no).
        output_bias: whether the output has a bias (the papers' tables: no).
        measure: True measures ranks by :func:`llr.model_rank`, an integer those of models with at
            most so many parameters; a function of a module measures them in its own way; False
            or None leaves that column out.

    Returns:
        The table; its formal ranks are those at parameters that attain the optimistic size.

    Raises:
        InvalidInputError: if a size is impossible or the table unknown.

    References:
        Zhang et al., JMLR 26(69), 2025, Tables 1 to 3.

    Example:
        >>> table = rank_table(3, input_dim=28)
        >>> [(row.architecture, row.formula_value, row.formal_rank) for row in table.rows]
        [('cnn_shared_2d', 685, 685), ('cnn_noshare_2d', 6760, 6760), ('mlp', 530660, 530660)]
    """
    check_choice("table", str(table), ("1", "2", "3"))
    if table == 1:
        rows = [
            _depth_row(input_dim, widths[: l + 1], hidden_bias, output_bias, measure)
            for l in range(len(widths))
        ]
    elif table == 2:
        width = check_positive_int("widths[0]", widths[0] if widths else 0)
        rows = []
        for k in range(width + 1):
            sizes = ModelSizes(input_dim, width, hidden_bias=hidden_bias, output_bias=output_bias)
            model = build_model("mlp", sizes, generator=torch.Generator())
            rows.append(rank_row(f"mlp, target of width {k}", model, k, measure=measure))
    else:
        if n_axes not in (1, 2):
            raise InvalidInputError(f"n_axes must be 1 or 2, got {n_axes!r}.")
        names: tuple[ModelName, ...] = (
            ("cnn_shared", "cnn_noshare", "mlp")
            if n_axes == 1
            else ("cnn_shared_2d", "cnn_noshare_2d", "mlp")
        )
        target = build_model(
            names[0],
            ModelSizes(input_dim, kernels, kernel_size=kernel_size, hidden_bias=hidden_bias),
            generator=torch.Generator(),
        )
        initialize(target, std=1.0, generator=generator(0, "target"))
        neurons = kernels * (input_dim - kernel_size + 1) ** n_axes
        rows = []
        for name in names:
            d = input_dim**n_axes if name == "mlp" else input_dim
            sizes = ModelSizes(
                d,
                neurons if name == "mlp" else kernels,
                kernel_size=kernel_size,
                hidden_bias=hidden_bias,
                output_bias=output_bias,
            )
            model = build_model(name, sizes, generator=torch.Generator())
            rows.append(rank_row(name, model, target, measure=measure))
    return RankTable(_TITLES[table], tuple(rows))


def architecture_table(
    target: nn.Module | Mapping[str, Tensor] | int,
    *,
    input_dim: int,
    kernel_size: int = 3,
    models: Sequence[ModelName] = ("cnn_shared", "cnn_noshare", "mlp"),
    scales: Sequence[int] = (1,),
    biases: Sequence[tuple[bool, bool]] = BIAS_SETTINGS,
    measure: bool | int | Measure | None = None,
) -> RankTable:
    """Optimistic sample sizes of one target over architectures, scales and bias settings.

    Args:
        target: as in :func:`optimistic_sample_size`.
        input_dim: d.
        kernel_size: s, for the convolution models.
        models: architectures.
        scales: N of the papers' "Nx" students.
        biases: pairs (hidden bias, output bias).
        measure: as in :func:`rank_table`.

    Returns:
        A row for each architecture, scale and bias setting. Where the model cannot express the
        target, the row says why.

    Raises:
        InvalidInputError: if a size is impossible or the target of another kind.

    References:
        Zhang et al., JMLR 26(69), 2025, Fig. 3.

    Example:
        >>> from llr.models import PaperTeacherMLP
        >>> table = architecture_table(PaperTeacherMLP(), input_dim=5)
        >>> [row.formal_rank for row in table.rows]
        [6, 7, 7, 8, 12, 15, 13, 16, 18, 21, 19, 22]
    """
    rows = []
    for name in models:
        for scale in scales:
            width = scaled_width(name, scale, input_dim=input_dim, kernel_size=kernel_size)
            for hidden_bias, output_bias in biases:
                sizes = ModelSizes(
                    input_dim,
                    width,
                    kernel_size=kernel_size,
                    hidden_bias=hidden_bias,
                    output_bias=output_bias,
                )
                model = build_model(name, sizes, generator=torch.Generator())
                rows.append(rank_row(f"{name} {scale}x", model, target, measure=measure))
    return RankTable("Optimistic sample sizes", tuple(rows))


def rank_row(
    architecture: str,
    model: nn.Module,
    target: nn.Module | Mapping[str, Tensor] | int,
    *,
    measure: bool | int | Measure | None = None,
) -> RankRow:
    """The row of one model and target, its ranks at parameters that attain the optimistic size.

    Args:
        architecture: the model in words.
        model: as in :func:`optimistic_sample_size`; it is not changed.
        target: as there.
        measure: as in :func:`rank_table`.

    Returns:
        The row. Where the model cannot express the target, it says why.

    Raises:
        InvalidInputError: if the target is of another kind than the model.
        UnsupportedModuleError: if nothing is known about the model.

    Example:
        >>> from llr.models import PaperTeacherMLP, SharedTanhConv1D
        >>> row = rank_row("mine", SharedTanhConv1D(5, width=9, kernel_size=3), PaperTeacherMLP())
        >>> row.n_parameters, row.formula_value, row.formal_rank
        (63, 7, 7)
    """
    names = dict(model.named_parameters())
    known: dict[str, Any] = {
        "architecture": architecture,
        "width": getattr(model, "width", None) or max(getattr(model, "widths", ()), default=0),
        "hidden_bias": "hidden.bias" in names or "layers.0.bias" in names,
        "output_bias": "output.bias" in names,
        "n_parameters": sum(parameter.numel() for parameter in names.values()),
    }
    try:
        size = optimistic_sample_size(model, target)
    except NotExpressibleError as error:
        return RankRow(**known, note=f"not expressible: {error}")
    try:
        exact = formal_rank(model, params=size.witness)
    except UnsupportedModuleError:  # another activation: only bounds are known
        exact = None
    published = size.published
    measured, doubt = _measured(_at(model, size.witness), measure)
    return RankRow(
        **known,
        formula=published.formula if published else "",
        theorem=published.theorem if published else "",
        formula_value=published.value if published else None,
        sample_size=size.value,
        formal_rank=exact,
        measured_rank=measured,
        note="; ".join(filter(None, [published.note if published else "", doubt])),
    )


def _measured(model: nn.Module, measure: bool | int | Measure | None) -> tuple[int | None, str]:
    """The measured rank of a module, None where it is not measured, and a doubt about it."""
    if callable(measure):
        return measure(model), ""
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    if not measure or (measure is not True and n_parameters > measure):
        return None, ""
    result = model_rank(model)
    doubt = "" if result.verdict == "clear" else f"measured rank {result.rank}: {result.message}"
    return result.rank, doubt


def _at(model: nn.Module, params: Parameters) -> nn.Module:
    """A copy of the model at other parameters."""
    moved = copy.deepcopy(model)
    moved.load_state_dict(params, strict=False)
    return moved


def _depth_row(
    d: int,
    widths: Sequence[int],
    hidden_bias: bool,
    output_bias: bool,
    measure: bool | int | Measure | None,
) -> RankRow:
    """A row of Table 1: a generic target of the given widths in its own network."""
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    model = MLP(
        d,
        widths=widths,
        hidden_bias=hidden_bias,
        output_bias=output_bias,
        generator=torch.Generator(),
    )
    initialize(model, std=1.0, generator=generator(0, "target"))
    bound = deep_network_bound(d, widths=widths, **biases)
    exact = formal_rank(model)  # a generic network is irreducible: also its sample size
    measured, doubt = _measured(model, measure)
    return RankRow(
        architecture=f"mlp {'-'.join(str(size) for size in (d, *widths, 1))}",
        width=max(widths),
        **biases,
        n_parameters=bound.value,
        formula=bound.formula,
        theorem=bound.theorem,
        formula_value=bound.value,
        sample_size=exact,
        formal_rank=exact,
        measured_rank=measured,
        note=doubt,
    )


def _cell(value: object) -> str:
    """An entry as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
