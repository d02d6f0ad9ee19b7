"""The tangent matrix, matrix-free."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from llr.errors import InvalidInputError, check_positive_int
from llr.tangent._as_function import as_function
from llr.tangent._gaussian_inputs import as_the_model_takes
from llr.tangent._linearize import linearize
from llr.tangent._memory_budget import FLOAT64_BYTES, memory_budget, sample_bytes
from llr.tangent._model_function import Model, ModelFunction
from llr.tangent._samples import Samples, as_samples, batches, sample_count
from llr.tangent._scipy_operator import ScipyOperator

__all__ = ["TangentOperator"]

CHUNK_BYTES = 2**28  # temporaries of one chunk; more does not make it faster


class TangentOperator:
    r"""The tangent matrix J of a model on samples, matrix-free.

    .. math::
        J_{(i, o), q} = \frac{\partial f_o(x_i; \theta)}{\partial \theta_q},
        \quad i = 1..n,\ o = 1..c,\ q = 1..M,

    the transpose of the papers' gradient matrix. Rows are ordered by sample, then output; columns
    are the trainable parameters in ``named_parameters`` order, each tensor flattened. Products
    use Jacobian-vector and vector-Jacobian products in chunks; J itself is never formed. All is
    float64, whatever the model's dtype, and the model is never changed.

    ``J @ v`` takes ``v`` of shape (M,) or (M, k); ``J.T @ u`` takes (n c,) or (n c, k).

    Args:
        model: an ``nn.Module``, or a function ``(params, x) -> y`` of a batch.
        x: n samples along the first axis: a tensor, a dictionary of tensors (given to ``forward``
            by keyword where the keys are its argument names) or a tuple of tensors (by position).
        params: parameters by name, in place of the module's own; needed for a function.
        chunk_size: rows of J, or vectors, worked on at once; None: by memory.

    Attributes:
        shape: (n * c, M).
        dtype: ``torch.float64``.
        device: of the parameters.
        n_samples: n.
        n_outputs: c.

    Raises:
        InvalidInputError: if parameters or samples do not fit the model.
        UnsupportedModuleError: if f(x) is random or depends on the other samples of a batch.

    References:
        Zhang et al., JMLR 26(69), 2025, Definitions 4 and 5.

    Example:
        >>> import torch, llr
        >>> model = llr.TwoLayerTanhMLP(5, width=3, generator=torch.Generator().manual_seed(0))
        >>> x = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
        >>> J = TangentOperator(model, x)
        >>> J.shape
        (40, 21)
        >>> v = torch.ones(21, dtype=torch.float64)
        >>> bool(torch.allclose(J @ v, J.to_dense() @ v))
        True
    """

    def __init__(
        self,
        model: Model | ModelFunction,
        x: object,
        *,
        params: Mapping[str, Tensor] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        if chunk_size is not None:
            check_positive_int("chunk_size", chunk_size)
        self.function = as_function(model, params)
        given = as_samples(x, self.function.device)
        self.samples = as_the_model_takes(self.function, given)
        self.linearization = linearize(self.function, self.samples)
        self.n_samples = sample_count(self.samples)
        first = next(batches(self.samples, 1))
        with torch.no_grad():
            self.n_outputs = self.function(self.function.params, first).shape[1]
        if self.n_outputs == 0:
            raise InvalidInputError("the model must have at least one output, got none.")
        self.chunk_size = chunk_size
        self.sample_bytes = sample_bytes(self.function, self.samples)

    @property
    def shape(self) -> tuple[int, int]:
        """(n * c, M)."""
        return self.n_samples * self.n_outputs, self.function.n_params

    @property
    def dtype(self) -> torch.dtype:
        """``torch.float64``."""
        return torch.float64

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self.function.device

    @property
    def T(self) -> TransposedTangentOperator:
        """The transpose, of shape (M, n * c)."""
        return TransposedTangentOperator(self)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"TangentOperator({rows} x {columns}: {self.n_samples} samples, "
            f"{self.n_outputs} outputs, device={str(self.device)!r})"
        )

    def __matmul__(self, v: Tensor) -> Tensor:
        """J v, by Jacobian-vector products."""
        v = self._operand(v, self.shape[1])
        if v.dim() == 1:
            return (self @ v[:, None])[:, 0]
        directions = v.T
        size, samples = self._product_chunks(v.shape[1])
        out = v.new_empty(self.shape[0], v.shape[1])
        for k in range(0, v.shape[1], size):
            start = 0
            for part in batches(self.samples, samples):
                rows = self.linearization.jvp(part, directions[k : k + size])
                out[start : start + len(rows), k : k + size] = rows
                start += len(rows)
        return out

    def _pull_back(self, u: Tensor) -> Tensor:
        """J^T u, by vector-Jacobian products."""
        u = self._operand(u, self.shape[0])
        if u.dim() == 1:
            return self._pull_back(u[:, None])[:, 0]
        size, samples = self._product_chunks(u.shape[1])
        out = u.new_zeros(u.shape[1], self.shape[1])
        for k in range(0, u.shape[1], size):
            start = 0
            for part in batches(self.samples, samples):
                rows = sample_count(part) * self.n_outputs
                out[k : k + size] += self.linearization.vjp(
                    part, u[start : start + rows, k : k + size]
                )
                start += rows
        return out.T

    def to_dense(self) -> Tensor:
        """J itself, shape (n * c, M)."""
        out = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        start = 0
        for rows in self.row_blocks():
            out[start : start + len(rows)] = rows
            start += len(rows)
        return out

    def row_blocks(self) -> Iterator[Tensor]:
        """Consecutive blocks of rows of J, in order."""
        rows = self.chunk_size
        if rows is None:
            row_bytes = 2 * FLOAT64_BYTES * self.shape[1] + 2 * self.sample_bytes
            rows = self._chunk_bytes() // row_bytes
        for part in batches(self.samples, max(1, rows // self.n_outputs)):
            yield self.linearization.rows(part)

    def with_function(self, function: ModelFunction, *, extra_bytes: int = 0) -> TangentOperator:
        """J of another function (same outputs, other parameters or point) on the same samples.

        ``extra_bytes``: what a sample needs on top of what it needed here.
        """
        other = copy.copy(self)
        other.function = function
        other.linearization = self.linearization.at(function)
        other.sample_bytes = self.sample_bytes + extra_bytes
        return other

    def with_samples(self, samples: Samples) -> TangentOperator:
        """J of the same function on other samples of the same kind."""
        other = copy.copy(self)
        other.samples = as_the_model_takes(self.function, samples)
        other.n_samples = sample_count(samples)
        return other

    def to_scipy(self) -> LinearOperator:
        """A ``scipy.sparse.linalg.LinearOperator`` with the same products, on NumPy arrays."""
        return ScipyOperator(self.shape, self.device, self.__matmul__, self.T.__matmul__)

    def _operand(self, v: object, length: int) -> Tensor:
        """A right-hand side, checked, in float64 on this device."""
        if not isinstance(v, Tensor) or v.dim() not in (1, 2) or v.shape[0] != length:
            got = tuple(v.shape) if isinstance(v, Tensor) else type(v).__name__
            raise InvalidInputError(
                f"a factor of this operator must be a tensor of shape ({length},) or "
                f"({length}, k), got {got}."
            )
        return v.to(device=self.device, dtype=self.dtype)

    def _chunk_bytes(self) -> int:
        """Bytes for the temporaries of one chunk."""
        return min(CHUNK_BYTES, memory_budget(None, self.device) // 4)

    def _product_chunks(self, vectors: int) -> tuple[int, int]:
        """How many vectors, and how many samples, go through one product."""
        budget = self._chunk_bytes()
        size = self.chunk_size or max(1, budget // (4 * FLOAT64_BYTES * self.shape[1]))
        size = max(1, min(size, vectors))
        return size, max(1, budget // (4 * self.sample_bytes * size))


class TransposedTangentOperator:
    """The transpose of a :class:`TangentOperator`: ``J.T @ u``."""

    def __init__(self, operator: TangentOperator) -> None:
        self.T = operator

    @property
    def shape(self) -> tuple[int, int]:
        """(M, n * c)."""
        rows, columns = self.T.shape
        return columns, rows

    @property
    def dtype(self) -> torch.dtype:
        """``torch.float64``."""
        return self.T.dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self.T.device

    def __matmul__(self, u: Tensor) -> Tensor:
        """J^T u, by vector-Jacobian products."""
        return self.T._pull_back(u)

    def to_scipy(self) -> LinearOperator:
        """A ``scipy.sparse.linalg.LinearOperator`` of the transpose."""
        return self.T.to_scipy().T

    def __repr__(self) -> str:
        return f"{self.T!r}.T"
