"""Dropout masks as a pure function of (run seed, step, sample, unit).

Every engine computes the same mask, for any batch and device, without any generator state:
a splitmix64 hash of the four indices, compared with the keep probability.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["dropout_mask", "keep_threshold"]


def _signed(value: int) -> int:
    """The int64 with the bits of a 64-bit unsigned integer."""
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _shift_right(value: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _splitmix64(value: Tensor) -> Tensor:
    """The splitmix64 output function on int64 tensors (wrapping arithmetic)."""
    value = value + _GAMMA
    value = (value ^ _shift_right(value, 30)) * _MIX_1
    value = (value ^ _shift_right(value, 27)) * _MIX_2
    return value ^ _shift_right(value, 31)


def keep_threshold(dropout: float) -> int:
    """A unit is kept where the hash's upper 53 bits are below this."""
    return round((1.0 - dropout) * 2**53)


def dropout_mask(
    seeds: Tensor, step: int | Tensor, *, n_samples: int, n_units: int, dropout: float
) -> Tensor:
    """Inverted-dropout factors, 0 or 1 / (1 - dropout), for one training step.

    Args:
        seeds: (R,) int64, one per run.
        step: number of steps taken so far (a scalar int64 tensor where it lives on the device).
        n_samples: number of training rows.
        n_units: number of hidden units (channel-major, as flattened by the models).
        dropout: probability of dropping a unit.

    Returns:
        (R, n_samples, n_units) float64.

    References:
        Srivastava et al., JMLR 15, 2014 (dropout); Steele, Lea and Flood, OOPSLA 2014
        (splitmix64).
    """
    device = seeds.device
    key = _splitmix64(_splitmix64(seeds) + step)[:, None, None]
    samples = torch.arange(n_samples, device=device)[None, :, None]
    units = torch.arange(n_units, device=device)[None, None, :]
    bits = _splitmix64(_splitmix64(key + samples) + units)
    kept = _shift_right(bits, 11) < keep_threshold(dropout)
    return kept.to(torch.float64) / (1.0 - dropout)
