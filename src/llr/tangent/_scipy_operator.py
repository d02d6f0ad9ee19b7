"""Products of tensors as a ``scipy.sparse.linalg.LinearOperator`` on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

__all__ = ["ScipyOperator"]


class ScipyOperator(LinearOperator):
    """A linear operator given by its products with float64 tensors on one device."""

    def __init__(
        self,
        shape: tuple[int, int],
        device: torch.device,
        product: Callable[[Tensor], Tensor],
        transposed_product: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(np.float64, shape)
        self._device = device
        self._product = product
        self._transposed_product = transposed_product

    def _tensor(self, X: np.ndarray) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(X), device=self._device)

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return self._product(self._tensor(X)).cpu().numpy()

    def _rmatmat(self, X: np.ndarray) -> np.ndarray:
        return self._transposed_product(self._tensor(X)).cpu().numpy()

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(x.reshape(-1, 1))[:, 0]

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return self._rmatmat(x.reshape(-1, 1))[:, 0]
