"""J J^T without J: layer by layer where the layers allow it, otherwise by blocks of columns.

The Gram matrix holds the squares of the singular values, so half of their digits. It is only the
first step of a rank: what it cannot settle is refined by products with J itself (``_refine``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from llr.errors import LLRError
from llr.tangent._column_blocks import column_blocks
from llr.tangent._layer_gram import layer_gram
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["row_gram"]

_CHECK_RTOL = 1e3 * torch.finfo(torch.float64).eps  # u^T (J J^T) u against |J^T u|^2


def row_gram(operator: TangentOperator, budget: int, *, generator: torch.Generator) -> Tensor:
    """J J^T, shape (n * c, n * c), in memory of about ``budget`` bytes beyond the result.

    What the layers' structure gives is checked against one product with J; where the two differ
    (a forward that uses a layer in a way that cannot be seen from outside), J is formed in blocks.
    """
    rows = operator.shape[0]
    gram, known = torch.zeros(rows, rows, dtype=operator.dtype, device=operator.device), set[str]()
    if operator.linearization.is_fast:
        try:
            structured, names = layer_gram(operator, budget)
        except LLRError:
            raise
        except RuntimeError:  # what plain autograd cannot do, torch.func has been seen to do
            structured, names = gram, known
        if _matches(operator, structured, names, generator):
            gram, known = structured, names
    for block in column_blocks(operator, budget // 2, without=known):
        gram.addmm_(block, block.T)
    return gram


def _matches(
    operator: TangentOperator, gram: Tensor, names: set[str], generator: torch.Generator
) -> bool:
    """Whether u^T (J J^T) u = |J^T u|^2 over the named parameters, for a random u."""
    if not names:
        return False
    u = torch.randn(operator.shape[0], generator=generator, dtype=gram.dtype).to(gram.device)
    gradient = operator.function.split(operator.T @ u)
    wanted = sum(float(gradient[name].square().sum()) for name in names)
    scale = float(u @ u) * float(torch.linalg.matrix_norm(gram))
    return abs(float(u @ gram @ u) - wanted) <= _CHECK_RTOL * scale
