"""Singular values of J that its Gram matrix cannot tell, refined by products with J itself.

The eigenvalues of J J^T carry an absolute error of about eps sigma_1^2, so singular values below
sqrt(eps) sigma_1 are noise there. Directions u with doubtful values ("the tail") are pulled back
through J: w = J^T u is small and has the full digits of J, and J w is a column of (J J^T) u with
an error of eps sigma_1 |w| in place of eps sigma_1^2. Repeating this on what is still doubtful
ends at eps sigma_1, the accuracy of a singular value decomposition of J.
"""

from __future__ import annotations

import torch
from torch import Tensor

from llr.errors import InvalidInputError
from llr.tangent._memory_budget import FLOAT64_BYTES
from llr.tangent._tangent_operator import TangentOperator

__all__ = ["EPS", "Gram", "check_range", "gram_product", "is_doubtful", "refine"]

EPS = torch.finfo(torch.float64).eps
GRAM_TRUST = 1e4  # an eigenvalue of J J^T counts when it exceeds its error this many times
TAIL_TRUST = 30.0  # likewise in the tail, where errors are estimated and not bounded
TAIL_ERROR = 8 * EPS  # of a product with J, in units of sigma_1 times the operand
MAX_ROUNDS = 10
SMALLEST_SQUARE = 1e-270  # of the largest singular value: below, the last digits underflow


class Gram:
    """Eigenvalues (descending) and eigenvectors of Q^T J J^T Q, the vectors in row space.

    Args:
        matrix: Q^T J J^T Q, shape (k, k).
        basis: Q, orthonormal, shape (n * c, k); None: the identity.
    """

    def __init__(self, matrix: Tensor, basis: Tensor | None = None) -> None:
        values, vectors = torch.linalg.eigh(matrix)
        self.values = values.flip(0)
        vectors = vectors.flip(1)
        self.vectors = vectors if basis is None else basis @ vectors


def is_doubtful(values: Tensor, n_rows: int) -> Tensor:
    """Which eigenvalues (descending) of a Gram matrix are near or below its rounding errors."""
    return ~(values > GRAM_TRUST * n_rows * EPS * values[0])


def check_range(operator: TangentOperator, matrix: Tensor) -> None:
    """Check that squares of singular values neither overflow nor underflow.

    Raises:
        InvalidInputError: if they do.
    """
    largest = float(matrix.diagonal().max())
    ones = torch.ones(operator.shape[0], dtype=operator.dtype, device=operator.device)
    lost = largest < SMALLEST_SQUARE and bool((operator.T @ ones).any())
    if lost or not bool(matrix.isfinite().all()):
        raise InvalidInputError(
            "the squares of the tangent matrix's entries must be floating-point numbers, but they "
            f"{'vanish' if lost else 'are infinite or NaN'}. Use method='dense', or scale the "
            "outputs of the model: its rank stays the same."
        )


def gram_product(operator: TangentOperator, vectors: Tensor, budget: int) -> Tensor:
    """J (J^T U), shape (n * c, k), a few vectors at a time."""
    step = max(1, budget // (4 * FLOAT64_BYTES * operator.shape[1]))
    parts = [operator @ (operator.T @ part) for part in vectors.split(step, dim=1)]
    return torch.cat(parts, dim=1)


def refine(
    operator: TangentOperator, gram: Gram, *, target: float, budget: int
) -> tuple[Tensor, Tensor]:
    """Singular values, accurate to ``target`` or to 10^-4 of themselves, and left vectors.

    Args:
        operator: J.
        gram: its Gram matrix, or that of its projection on a subspace.
        target: absolute accuracy wanted of the small singular values.
        budget: bytes for temporaries.

    Returns:
        Singular values (k,), descending, and left singular vectors (n * c, k).
    """
    values, vectors = gram.values.clone(), gram.vectors.clone()
    largest = float(values[0].clamp(min=0).sqrt())
    first = int((~is_doubtful(values, operator.shape[0])).sum())
    uncertain = float("inf")
    for _ in range(MAX_ROUNDS):
        if first == len(values) or largest == 0:
            break
        big, tail = vectors[:, :first], vectors[:, first:]
        product = gram_product(operator, tail, budget)
        cross = big.T @ product
        step = cross / values[:first, None]
        block = tail.T @ product - cross.T @ step
        tail, scale = torch.linalg.qr(tail - big @ step)
        half = torch.linalg.solve_triangular(scale, block, upper=True, left=False)
        block = torch.linalg.solve_triangular(scale.T, half, upper=False)
        part = Gram((block + block.T) / 2, tail)
        values[first:], vectors[:, first:] = part.values, part.vectors
        leak = float((cross * step).sum()) / GRAM_TRUST**2
        top = float(part.values[0].clamp(min=0).sqrt())
        previous, uncertain = uncertain, max(TAIL_ERROR * largest * top, leak)
        settled = int((part.values > TAIL_TRUST * uncertain).sum())
        first += settled
        if uncertain <= target**2 or (settled == 0 and uncertain > previous / 4):
            break
    # The tail was turned towards the true singular vectors; now turn the others, small ones first.
    sigma, order = values.clamp(min=0).sqrt().sort()
    return sigma.flip(0), torch.linalg.qr(vectors[:, order]).Q.flip(1)
