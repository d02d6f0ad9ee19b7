"""Matrix factorisation: a matrix learnt from its entries."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, check_positive_int, check_shape
from llr.seeds import drawing_from

__all__ = ["MatrixFactorization", "encode_entries"]


def encode_entries(
    rows: Tensor,
    columns: Tensor,
    *,
    n_rows: int,
    n_columns: int,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Matrix positions as inputs: a one-hot row followed by a one-hot column.

    Args:
        rows: (n,) integers in 0..n_rows-1.
        columns: (n,) integers in 0..n_columns-1.
        n_rows: number of rows of the matrix.
        n_columns: number of columns of the matrix.
        dtype: of the result.

    Returns:
        Shape (n, n_rows + n_columns).

    Raises:
        InvalidInputError: if an index lies outside the matrix.

    Example:
        >>> encode_entries(torch.tensor([1]), torch.tensor([0]), n_rows=2, n_columns=3)
        tensor([[0., 1., 1., 0., 0.]], dtype=torch.float64)
    """
    for name, index, size in (("rows", rows, n_rows), ("columns", columns, n_columns)):
        if index.numel() and (int(index.min()) < 0 or int(index.max()) >= size):
            raise InvalidInputError(
                f"{name} must lie in 0..{size - 1}, got {int(index.min())}..{int(index.max())}."
            )
    one_hot = nn.functional.one_hot
    return torch.cat([one_hot(rows, n_rows), one_hot(columns, n_columns)], dim=1).to(dtype)


class MatrixFactorization(nn.Module):
    """Matrix factorisation, a model of matrix completion.

    With ``left`` A (d1, q) and ``right`` B (q, d2), at an input x = (u, v), u in R^d1, v in R^d2,

        f(x) = u^T A B v,

    so that the one-hot pair (e_i, e_j) gives the entry (A B)_ij.

    Args:
        n_rows: d1.
        n_columns: d2.
        width: q, inner dimension; a width of min(d1, d2) expresses every matrix.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation, uniform in +-1/sqrt(width); None: the
            global one.

    Raises:
        InvalidInputError: if a size is not a positive integer.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 4.

    Example:
        >>> model = MatrixFactorization(4, 4, width=4)
        >>> entry = encode_entries(torch.tensor([2]), torch.tensor([3]), n_rows=4, n_columns=4)
        >>> bool(torch.isclose(model(entry)[0, 0], (model.left @ model.right)[2, 3]))
        True
    """

    def __init__(
        self,
        n_rows: int,
        n_columns: int,
        *,
        width: int,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_rows = check_positive_int("n_rows", n_rows)
        self.n_columns = check_positive_int("n_columns", n_columns)
        self.width = check_positive_int("width", width)
        self.left = nn.Parameter(torch.empty(n_rows, width, dtype=dtype))
        self.right = nn.Parameter(torch.empty(width, n_columns, dtype=dtype))
        with drawing_from(generator):
            self.reset_parameters()
        self.to(device)

    def reset_parameters(self) -> None:
        """Uniform in +-1/sqrt(width)."""
        bound = 1 / math.sqrt(self.width)
        nn.init.uniform_(self.left, -bound, bound)
        nn.init.uniform_(self.right, -bound, bound)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (d1 + d2,)."""
        return (self.n_rows + self.n_columns,)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, d1 + d2)."""
        check_shape("input", x.shape, ("n", self.n_rows + self.n_columns))
        u, v = x.split([self.n_rows, self.n_columns], dim=1)
        return ((u @ self.left) * (v @ self.right.T)).sum(dim=1, keepdim=True)

    def extra_repr(self) -> str:
        """Sizes and number of parameters, for ``print(model)``."""
        count = self.width * (self.n_rows + self.n_columns)
        return f"{self.n_rows}, {self.n_columns}, width={self.width}, parameters={count}"
