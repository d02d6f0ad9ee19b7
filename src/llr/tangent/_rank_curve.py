"""Empirical ranks of the first n samples, for every n, from one factorisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from llr._show import html_lines, to_json
from llr.tangent._column_blocks import column_blocks
from llr.tangent._leading_ranks import leading_ranks
from llr.tangent._measure_rank import read_rank
from llr.tangent._model_function import Model
from llr.tangent._rank_method import choose_method
from llr.tangent._rank_options import RankOptions
from llr.tangent._rank_result import LOWER_BOUND_NOTE
from llr.tangent._rank_verdict import Verdict
from llr.tangent._singular_values import Spectrum, singular_value_decomposition
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["RankCurve", "rank_curve"]


@dataclass(frozen=True)
class RankCurve:
    """Empirical ranks against the number of samples.

    Attributes:
        ranks: rank on the first n samples, for n = 1..N.
        saturates_at: the least n with the rank of all N; None where the last sample still raised
            it and the rank is below the number of parameters.
        tolerance: singular values above it are counted, the same for every n.
        gap: last kept over first dropped singular value, with all N samples.
        verdict: of the rank with all N samples.
        message: why the verdict is ambiguous and what to try; may be empty.
        n_outputs: c.
        n_params: M.
    """

    ranks: tuple[int, ...]
    saturates_at: int | None
    tolerance: float
    gap: float
    verdict: Verdict
    message: str
    n_outputs: int
    n_params: int

    @property
    def rank(self) -> int:
        """Rank with all N samples."""
        return self.ranks[-1]

    def summary(self) -> dict[str, object]:
        """One flat row: everything but the ranks of fewer samples."""
        return {
            "rank": self.rank,
            "n_samples": len(self.ranks),
            "saturates_at": self.saturates_at,
            "verdict": self.verdict,
            "gap": self.gap,
            "tolerance": self.tolerance,
            "n_outputs": self.n_outputs,
            "n_params": self.n_params,
            "message": self.message,
        }

    def to_json(self) -> str:
        """The summary and all ranks as JSON; an infinite gap is null."""
        return to_json({**self.summary(), "ranks": list(self.ranks)})

    def __repr__(self) -> str:
        where = "still growing" if self.saturates_at is None else f"from n = {self.saturates_at}"
        lines = [
            f"RankCurve: rank {self.rank} ({self.verdict}), {where}, of n = 1..{len(self.ranks)} "
            f"samples and {self.n_params} parameters",
            *([self.message] if self.message else []),
            LOWER_BOUND_NOTE,
        ]
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        return html_lines(repr(self).splitlines())


def _triangular_factor(operator: TangentOperator, budget: int) -> Tensor:
    """R of J^T = Q R, with the columns (rows of J) in order; J is formed only if it fits."""
    rows, columns = operator.shape
    if choose_method("auto", rows, columns, budget) == "dense":
        return torch.linalg.qr(operator.to_dense().T, mode="r").R
    factor = torch.empty(0, rows, dtype=operator.dtype, device=operator.device)
    for block in column_blocks(operator, budget // 4):
        factor = torch.linalg.qr(torch.cat([factor, block.T]), mode="r").R
    return factor


def rank_curve(
    model: Model,
    x: object,
    *,
    params: Mapping[str, Tensor] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    gap: float | None = None,
    param_error: float | None = None,
    max_memory: float | None = None,
    chunk_size: int | None = None,
    seed: int = 0,
) -> RankCurve:
    r"""Empirical ranks of the first n samples for n = 1..N, and the n where they saturate.

    .. math::
        r_n(\theta) = \operatorname{rank} J(x_1, \dots, x_n; \theta), \quad n = 1..N.

    One factorisation J^T = Q R with the rows of J in the order of the samples serves all n. The
    tolerance is that of all N samples and the same for every n, so the curve never falls.

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: N samples along the first axis: a tensor, a dictionary or a tuple of tensors.
        params: parameters by name, in place of the module's own; needed for a function.
        atol: absolute tolerance, as for :func:`model_rank`.
        rtol: tolerance in units of the largest singular value.
        gap: least gap that counts as clear.
        param_error: how far each parameter may be off, root mean square.
        max_memory: bytes the computation may use, about; None: half of what is free.
        chunk_size: rows worked on at once; None: by memory.
        seed: of the noise that ``param_error`` draws.

    Returns:
        The ranks.

    Raises:
        InvalidInputError: if an argument is wrong.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 5 and Corollary 4.

    Example:
        >>> import torch, llr
        >>> x = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
        >>> rank_curve(llr.PaperTeacherMLP(), x).saturates_at
        18
    """
    options = RankOptions(atol, rtol, gap, param_error, "auto", max_memory, seed)
    operator = TangentOperator(model, x, params=params, chunk_size=chunk_size)
    factor = _triangular_factor(operator, options.budget(operator.device))
    # J = R^T Q^T: the right singular vectors of R are the left ones of J.
    side = "right" if param_error else None
    values, basis = singular_value_decomposition(factor, side)
    whole = read_rank(operator, Spectrum(values, basis, "left", "dense"), options)
    ranks = leading_ranks(factor, operator.n_outputs, whole.tolerance)
    still_growing = len(ranks) == 1 or ranks[-1] > ranks[-2]
    saturated = not still_growing or ranks[-1] == whole.n_params
    return RankCurve(
        ranks=tuple(ranks),
        saturates_at=ranks.index(ranks[-1]) + 1 if saturated else None,
        tolerance=whole.tolerance,
        gap=whole.gap,
        verdict=whole.verdict,
        message=whole.message,
        n_outputs=operator.n_outputs,
        n_params=whole.n_params,
    )
