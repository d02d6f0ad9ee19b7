"""Self-attention written out, with rotary positions and biases, and PyTorch's own module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["RotaryAttention", "TorchAttention"]


class TorchAttention(nn.Module):
    """``nn.MultiheadAttention`` of tokens (n, T d) on themselves."""

    def __init__(self, d: int, heads: int, tokens: int, *, bias: bool) -> None:
        super().__init__()
        self.in_features, self.shape = tokens * d, (tokens, d)
        self.attention = nn.MultiheadAttention(d, heads, bias=bias, batch_first=True).double()

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(len(x), *self.shape)
        return self.attention(tokens, tokens, tokens, need_weights=False)[0].flatten(1)


class RotaryAttention(nn.Module):
    """Heads one by one: logits of pairs of tokens, softmax, values, outputs."""

    def __init__(
        self,
        d: int,
        heads: int,
        d_k: int,
        d_v: int,
        tokens: int,
        *,
        rope: bool,
        bias: bool,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.in_features, self.shape = tokens * d, (tokens, d)
        self.rope, self.causal = rope, causal

        def linears(n: int, m: int, b: bool) -> nn.ModuleList:
            return nn.ModuleList([nn.Linear(n, m, bias=b).double() for _ in range(heads)])

        self.query, self.key = linears(d, d_k, bias), linears(d, d_k, bias)
        self.value, self.out = linears(d, d_v, bias), linears(d_v, d, False)
        self.output_bias = nn.Parameter(torch.zeros(d, dtype=torch.float64)) if bias else None

    def turned(self, vectors: Tensor) -> Tensor:
        """Coordinates in pairs, turned by the position times 1, 1/5, 1/25, ..."""
        if not self.rope:
            return vectors
        out = []
        for i in range(vectors.shape[1]):
            pairs = vectors[:, i].reshape(len(vectors), -1, 2)
            angle = i * 5.0 ** -torch.arange(pairs.shape[1], dtype=torch.float64)
            cos, sin = angle.cos(), angle.sin()
            turned = [
                pairs[..., 0] * cos - pairs[..., 1] * sin,
                pairs[..., 0] * sin + pairs[..., 1] * cos,
            ]
            out.append(torch.stack(turned, dim=-1).flatten(1))
        return torch.stack(out, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(len(x), *self.shape)
        total = 0 if self.output_bias is None else self.output_bias
        for query, key, value, out in zip(self.query, self.key, self.value, self.out, strict=True):
            logits = self.turned(query(tokens)) @ self.turned(key(tokens)).transpose(1, 2)
            if self.causal:
                hidden = torch.ones(logits.shape[1:], dtype=torch.bool).triu(1)
                logits = logits.masked_fill(hidden, -torch.inf)
            total = total + out(logits.softmax(-1) @ value(tokens))
        return total.flatten(1)
