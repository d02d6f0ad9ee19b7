"""How a rank is to be found."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from llr.errors import InvalidInputError, check_number
from llr.tangent._memory_budget import memory_budget

__all__ = ["RankOptions"]


@dataclass(frozen=True)
class RankOptions:
    """The options of :func:`llr.model_rank`, as data."""

    atol: float | None = None
    rtol: float | None = None
    gap: float | None = None
    param_error: float | None = None
    method: str = "auto"
    max_memory: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.param_error is None:
            return
        check_number("param_error", self.param_error, minimum=0.0)
        if self.atol is not None or self.rtol is not None:
            raise InvalidInputError(
                "param_error sets the tolerance, so atol and rtol must be None with it, got "
                f"atol={self.atol!r}, rtol={self.rtol!r}."
            )

    def budget(self, device: torch.device) -> int:
        """Bytes to work in."""
        return memory_budget(self.max_memory, device)
