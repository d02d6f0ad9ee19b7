"""Embeddings with dense gradients, whatever they were built for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["DenseGradients", "has_sparse_gradients"]


def has_sparse_gradients(module: nn.Module) -> bool:
    """Whether an embedding in the module is built with ``sparse=True``."""
    return any(
        part.sparse
        for part in module.modules()
        if isinstance(part, (nn.Embedding, nn.EmbeddingBag))
    )


class DenseGradients(TorchFunctionMode):
    """Calls embeddings as if they had been built with ``sparse=False``; the values are the same."""

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        kwargs = dict(kwargs or {})
        if func is F.embedding:
            args, kwargs["sparse"] = args[:6], False
        elif func is F.embedding_bag:
            place = 7
            if len(args) > place:
                args = (*args[:place], False, *args[place + 1 :])
            else:
                kwargs["sparse"] = False
        return func(*args, **kwargs)
