"""How much memory there is, and how many rows of J fit into a share of it."""

from __future__ import annotations

import math
import os
from numbers import Real
from pathlib import Path

import torch
from torch import Tensor

from llr.errors import InvalidInputError
from llr.tangent._model_function import ModelFunction
from llr.tangent._samples import Samples, map_samples

__all__ = ["FLOAT64_BYTES", "memory_budget", "sample_bytes"]

FLOAT64_BYTES = 8
SHARE_OF_FREE_MEMORY = 0.5
_CGROUP = Path("/sys/fs/cgroup")


def _available_bytes() -> int:
    """Memory of this machine that a new allocation can have, within its control group."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration, ValueError):
        try:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, ValueError, OSError):
            free = 4 * 2**30
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return free
    return max(0, min(free, limit - used))


def memory_budget(max_memory: float | None, device: torch.device) -> int:
    """Bytes that a computation may use: the caller's number, or half of what is free."""
    if max_memory is not None:
        is_number = isinstance(max_memory, Real) and not isinstance(max_memory, bool)
        if not (is_number and 0 < max_memory < math.inf):
            raise InvalidInputError(
                f"max_memory must be a number of bytes above 0, got {max_memory!r}; 1 GiB is 2**30."
            )
        return int(max_memory)
    if device.type == "cuda":
        return int(SHARE_OF_FREE_MEMORY * torch.cuda.mem_get_info(device)[0])
    return int(SHARE_OF_FREE_MEMORY * _available_bytes())


def _stored_parts(sparse: Tensor) -> list[Tensor]:
    """The tensors that a sparse one is made of, as far as they matter for memory."""
    with torch.no_grad():
        if sparse.layout == torch.sparse_coo:
            return [sparse._indices(), sparse._values()]
        return [sparse.values()]


def sample_bytes(function: ModelFunction, x: Samples) -> int:
    """Bytes that one sample's forward pass keeps for the backward pass, parameters excluded."""
    own = {value.data_ptr() for value in function.params.values()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        parts = [tensor] if tensor.layout == torch.strided else _stored_parts(tensor)
        for part in parts:
            if part.untyped_storage().data_ptr() not in own:
                kept[part.data_ptr()] = part.numel() * part.element_size()
        return tensor

    leaves = {name: value.detach().requires_grad_() for name, value in function.params.items()}
    one = map_samples(lambda leaf: leaf[:1], x)
    with (
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        function(leaves, one)
    return max(sum(kept.values()), FLOAT64_BYTES)
