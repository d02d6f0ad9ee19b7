"""Files written by ``torch.save``, read without running code from them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch.torch_version import TorchVersion

from llr.errors import InvalidInputError

__all__ = ["load_torch_file"]

# Before this version, even weights_only=True could run code from a file (CVE-2025-32434).
SAFE_TORCH = "2.6"


def load_torch_file(path: Path) -> object:
    """What ``torch.save`` wrote, on the CPU: tensors and plain containers of them.

    Raises:
        InvalidInputError: if the installed torch may run code from such a file, or the file is
            damaged or holds anything but tensors.
    """
    if TorchVersion(torch.__version__) < SAFE_TORCH:
        raise InvalidInputError(
            f"{path}: torch must be {SAFE_TORCH} or newer to read this file safely, got "
            f"{torch.__version__}, which may run code from it (CVE-2025-32434). Upgrade torch, or "
            "store the tensors as .safetensors or .npz."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InvalidInputError(
            f"{path}: must hold tensors only, as torch.save(module.state_dict(), path) writes; it "
            "holds other Python objects or is damaged, and is not loaded."
        ) from None
    except Exception as error:  # damaged archives raise many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidInputError(
            f"{path}: must hold tensors only, as torch.save writes them; reading failed: {reason}"
        ) from None
