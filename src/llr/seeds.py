"""Named random generators: every draw of the library comes from one of these.

One experiment seed gives one independent stream for each purpose, so that changing how many
test inputs are drawn, say, leaves the training inputs and the initialisation as they were.
All streams live on the CPU: the numbers do not depend on the device, on batching, or on how
many workers share the work. Nothing in the library touches the global generators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from llr.errors import check_choice

__all__ = ["Purpose", "derive_seed", "drawing_from", "generator"]

Purpose = Literal["train", "test", "target", "init", "noise", "dropout", "probe"]


def derive_seed(seed: int, purpose: Purpose, *keys: int | str) -> int:
    """A 63-bit seed for one purpose, a pure function of its arguments.

    Args:
        seed: the experiment's seed.
        purpose: what the numbers are for.
        *keys: further integers or strings that tell streams of one purpose apart.

    Returns:
        A non-negative integer below 2^63.

    Raises:
        InvalidInputError: if the purpose is not a known one.

    Example:
        >>> derive_seed(0, "train") == derive_seed(0, "train")
        True
        >>> derive_seed(0, "train") == derive_seed(0, "test")
        False
    """
    check_choice("purpose", purpose, get_args(Purpose))
    text = "/".join(str(part) for part in ("llr", int(seed), purpose, *keys))
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: Purpose, *keys: int | str) -> torch.Generator:
    """A fresh CPU generator for one purpose of one experiment seed.

    Args:
        seed: the experiment's seed.
        purpose: what the numbers are for.
        *keys: further integers or strings that tell streams of one purpose apart.

    Returns:
        A ``torch.Generator`` on the CPU.

    Raises:
        InvalidInputError: if the purpose is not a known one.

    Example:
        >>> a = torch.randn(3, generator=generator(0, "init"))
        >>> b = torch.randn(3, generator=generator(0, "init"))
        >>> bool((a == b).all())
        True
    """
    stream = torch.Generator(device="cpu")
    stream.manual_seed(derive_seed(seed, purpose, *keys))
    return stream


@contextmanager
def drawing_from(source: torch.Generator | None) -> Iterator[None]:
    """Let code that draws from PyTorch's global CPU generator draw from ``source`` instead.

    The global state is the same afterwards as before. With ``None``, nothing is changed: the
    code inside draws from the global generator, as PyTorch's own constructors do.

    Args:
        source: a CPU generator; it advances by one draw.
    """
    if source is None:
        yield
        return
    seed = int(torch.randint(0, 2**63 - 1, (), generator=source, dtype=torch.int64))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
