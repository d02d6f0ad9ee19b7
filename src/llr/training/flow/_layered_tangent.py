"""The tangent matrix of a layered network by its factors: J J^T, J v and J^T u.

By the weights w_ok between inputs h_k and sums z_o of a layer without weight sharing,

    d f_a(x_i) / d w_ok = delta_aio h_ik,    delta_aio = d f_a(x_i) / d z_o,

so the layer adds (D D^T) * (H H^T), element by element, to J J^T. That costs O(n^2 c^2) times the
width of the layer, where J itself has n c times as many elements as there are weights. Layers whose
positions share weights keep their columns of J.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import Layer
from llr.training._layered_function import LayeredFunction, Tape, matrix_of, weight_of

__all__ = ["LayeredTangent"]


class LayeredTangent:
    """J (n c, M) at the parameters of a tape of one run, rows sample by sample.

    Args:
        function: the network.
        tape: of its outputs on n samples, without a dropout mask.
        shapes: of the parameters that J has columns for, by name and in order.
    """

    def __init__(
        self, function: LayeredFunction, tape: Tape, shapes: Mapping[str, torch.Size]
    ) -> None:
        self.shapes = shapes
        self.sizes = [shape.numel() for shape in shapes.values()]
        n, c = tape.patches[0].shape[2], function.network.n_outputs
        identity = torch.eye(c, dtype=tape.patches[0].dtype, device=tape.patches[0].device)
        errors = identity[:, None].expand(c, n, c)
        self.layers: list[tuple[Layer, Tensor, Tensor]] = []
        for layer, delta, patches in function.deltas(tape, errors):
            if layer.weight not in shapes and layer.bias not in shapes:
                continue
            slopes = delta.permute(1, 2, 0, 3).flatten(1, 2)  # (P, n c, O)
            inputs = patches[0].repeat_interleave(c, dim=1)  # (P, n c, T C)
            if layer.shared and layer.positions > 1:  # one matrix for each row of J
                inputs = torch.einsum("prk,pro->rko", inputs, slopes)
            self.layers.append((layer, inputs, slopes))

    def gram(self) -> Tensor:
        """J J^T, (n c, n c)."""
        total: Tensor | None = None
        for layer, inputs, slopes in self.layers:
            tied = layer.shared and layer.positions > 1
            both = (slopes.sum(0)[None] if tied else slopes) @ (
                slopes.sum(0)[None] if tied else slopes
            ).transpose(1, 2)
            part = torch.zeros_like(both[0])
            if layer.bias in self.shapes:
                part = part + both.sum(0)
            if layer.weight in self.shapes:
                if tied:
                    part = part + inputs.flatten(1) @ inputs.flatten(1).T
                else:
                    part = part + (both * (inputs @ inputs.transpose(1, 2))).sum(0)
            total = part if total is None else total + part
        assert total is not None
        return total

    def apply(self, v: Tensor) -> Tensor:
        """J v, (n c,)."""
        parts = v.split(self.sizes)
        named = {k: p.view(1, *s) for p, (k, s) in zip(parts, self.shapes.items(), strict=True)}
        total = v.new_zeros(())
        for layer, inputs, slopes in self.layers:
            if layer.weight in named:
                matrix = matrix_of(layer, named[layer.weight])[0]
                if layer.shared and layer.positions > 1:
                    total = total + inputs.flatten(1) @ matrix[0].flatten()
                else:
                    total = total + ((inputs @ matrix) * slopes).sum((0, 2))
            if layer.bias in named:
                bias = (
                    named[layer.bias].reshape(layer.channels, -1).T.unsqueeze(1)
                )  # (1 or P, 1, O)
                total = total + (slopes * bias).sum((0, 2))
        return total

    def transpose(self, u: Tensor) -> Tensor:
        """J^T u, (M,)."""
        named: dict[str, Tensor] = {}
        for layer, inputs, slopes in self.layers:
            if layer.weight is not None and layer.weight in self.shapes:
                if layer.shared and layer.positions > 1:
                    matrix = (u @ inputs.flatten(1)).view(1, *inputs.shape[1:])
                else:
                    matrix = inputs.transpose(1, 2) @ (slopes * u[:, None])
                named[layer.weight] = weight_of(layer, matrix[None])[0]
            if layer.bias is not None and layer.bias in self.shapes:
                sums = u @ slopes  # (P, O)
                named[layer.bias] = (sums.sum(0) if layer.shared else sums.T).reshape(-1)
        return torch.cat([named[name] for name in self.shapes])

    @staticmethod
    def of(
        function: LayeredFunction, params: Parameters, x: Tensor, shapes: Mapping[str, torch.Size]
    ) -> LayeredTangent:
        """J at parameters, on inputs (n, *input_shape)."""
        _, tape = function({k: p[None] for k, p in params.items()}, function.values_of(x[None]))
        return LayeredTangent(function, tape, shapes)
