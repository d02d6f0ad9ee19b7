"""Layered networks in PyTorch by explicit formulas: outputs and gradients.

All runs of a batch go through one matrix product per layer. Values have shape (R, P, n, C): run,
position, sample, channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import ACTIVATIONS, Layer, LayeredNetwork

__all__ = ["LayeredFunction", "Tape", "matrix_of", "weight_of"]


@dataclass(frozen=True)
class Tape:
    """What a pass forward leaves for the passes backward, layer by layer.

    Attributes:
        patches: what each position sees, (R, P, n, T C).
        slopes: derivatives of the activations, times the dropout mask; None: one.
        weights: as matrices, (R, 1 or P, T C, O); None: pooling.
    """

    patches: list[Tensor]
    slopes: list[Tensor | None]
    weights: list[Tensor | None]


class LayeredFunction:
    """A layered network as a function of its parameters, for many runs at once.

    Args:
        network: the layers.
        device: of parameters and inputs.
    """

    def __init__(self, network: LayeredNetwork, device: torch.device) -> None:
        self.network = network
        self.inputs = torch.as_tensor(network.inputs, device=device)
        self.seen = [torch.as_tensor(layer.seen, device=device) for layer in network.layers]
        self.divisors = [torch.as_tensor(layer.divisor, device=device) for layer in network.layers]
        hidden = network.layers[:-1]
        self.units = [l.channels * l.positions * (l.activation != "identity") for l in hidden]

    def values_of(self, x: Tensor) -> Tensor:
        """Inputs (R, n, *input_shape) as values (R, P, n, C)."""
        flat = x.flatten(2)
        flat = torch.cat([flat, flat.new_zeros(*flat.shape[:2], 1)], dim=2)  # at -1: padding
        return flat[:, :, self.inputs].permute(0, 3, 1, 2)

    def __call__(
        self, params: Parameters, values: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tape]:
        """Outputs (R, n, c) and what the passes backward need.

        Args:
            params: (R, *shape) by name.
            values: of the input.
            mask: (R, n, units) dropout factors of the hidden units, layer by layer.
        """
        tape = Tape([], [], [])
        first = 0  # number of the first unit of a layer
        for l, layer in enumerate(self.network.layers):
            patches = self._patches(l, values)
            matrix = None if layer.weight is None else matrix_of(layer, params[layer.weight])
            if matrix is None:
                taps = patches.shape[3] // layer.channels
                windows = patches.unflatten(3, (taps, layer.channels))
                z = windows.sum(3) / self.divisors[l][:, None, None]
            elif matrix.shape[1] == 1:
                z = patches.flatten(1, 2) @ matrix[:, 0]
                z = z.unflatten(1, patches.shape[1:3])
            else:
                z = patches @ matrix
            if layer.bias is not None:
                bias = params[layer.bias].reshape(len(z), layer.channels, -1)
                z = z + bias.transpose(1, 2).unsqueeze(2)
            values, slope = z, None
            if layer.activation != "identity":
                row = ACTIVATIONS[layer.activation]
                values, slope = row.function(z), row.derivative(z)
            units = self.units[l] if l < len(self.units) else 0
            if mask is not None and units:
                part = mask[:, :, first : first + units].to(z.dtype)
                part = part.unflatten(2, (layer.channels, layer.positions)).permute(0, 3, 1, 2)
                assert slope is not None
                values, slope = values * part, slope * part
            first += units
            tape.patches.append(patches)
            tape.slopes.append(slope)
            tape.weights.append(matrix)
        return values.permute(0, 2, 3, 1).flatten(2), tape

    def gradient(self, tape: Tape, error: Tensor, trained: Sequence[str]) -> Parameters:
        """The gradient of sum_{i,o} error_io f_o(x_i), (R, *shape) by name.

        Args:
            tape: of the outputs.
            error: (R, n, c).
            trained: names of the parameters to derive by.
        """
        gradient: dict[str, Tensor] = {}
        for layer, delta, patches in self.deltas(tape, error):
            if layer.weight is not None and layer.weight in trained:
                if layer.shared:
                    matrix = patches.flatten(1, 2).transpose(1, 2) @ delta.flatten(1, 2)
                    matrix = matrix.unsqueeze(1)
                else:
                    matrix = patches.transpose(2, 3) @ delta
                gradient[layer.weight] = weight_of(layer, matrix)
            if layer.bias is not None and layer.bias in trained:
                sums = delta.sum((1, 2))[:, None] if layer.shared else delta.sum(2)
                gradient[layer.bias] = sums.transpose(1, 2).flatten(1)
        return gradient

    def deltas(self, tape: Tape, error: Tensor) -> list[tuple[Layer, Tensor, Tensor]]:
        """For each layer, from the last: derivatives by its sums (R, P, n, O), and its patches.

        Where the tape is of one run, ``error`` may be of many: one pass for several outputs.
        """
        last = self.network.layers[-1]
        delta = error.unflatten(2, (last.channels, last.positions)).permute(0, 3, 1, 2)
        found = []
        for l in range(len(self.network.layers) - 1, -1, -1):
            layer, slope, matrix = self.network.layers[l], tape.slopes[l], tape.weights[l]
            if slope is not None:
                delta = delta * slope
            found.append((layer, delta, tape.patches[l]))
            if l == 0:
                break
            if matrix is None:
                share = delta / self.divisors[l][:, None, None]
                back = share.unsqueeze(3).expand(-1, -1, -1, layer.seen.shape[1], -1).flatten(3)
            elif matrix.shape[1] == 1:
                back = (delta.flatten(1, 2) @ matrix[:, 0].transpose(1, 2)).unflatten(
                    1, delta.shape[1:3]
                )
            else:
                back = delta @ matrix.transpose(2, 3)
            delta = self._unpatched(l, back)
        return found

    def _patches(self, l: int, values: Tensor) -> Tensor:
        """What each position of a layer sees of the values (R, P_in, n, C): (R, P, n, T C)."""
        seen = self.seen[l]
        if seen.numel() == 1:
            return values
        if self.network.layers[l].seen.min() < 0:
            values = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)
        return values[:, seen].transpose(2, 3).flatten(3)

    def _unpatched(self, l: int, patches: Tensor) -> Tensor:
        """The sum over the patches (R, P, n, T C) of what each input position gave to them."""
        layer, seen = self.network.layers[l], self.seen[l]
        if seen.numel() == 1:
            return patches
        parts = patches.unflatten(3, (seen.shape[1], layer.channels_in)).transpose(2, 3)
        out = patches.new_zeros(
            len(patches), layer.positions_in + 1, patches.shape[2], layer.channels_in
        )
        places = torch.where(seen < 0, layer.positions_in, seen).flatten()
        return out.index_add_(1, places, parts.flatten(1, 2))[:, :-1]


def matrix_of(layer: Layer, weight: Tensor) -> Tensor:
    """Weights (R, ...) as matrices (R, 1 or P, T C, O)."""
    positions = 1 if layer.shared else layer.positions
    split = weight.reshape(len(weight), layer.channels, positions, layer.channels_in, -1)
    return split.permute(0, 2, 4, 3, 1).flatten(2, 3)


def weight_of(layer: Layer, matrix: Tensor) -> Tensor:
    """Weights (R, ...), flat, from matrices (R, 1 or P, T C, O)."""
    split = matrix.unflatten(2, (layer.seen.shape[1], layer.channels_in))
    return split.permute(0, 4, 1, 3, 2).flatten(1)
