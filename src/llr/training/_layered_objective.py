"""The losses of many runs of a layered network, by explicit formulas in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import LayeredNetwork
from llr.training._abstract_objective import AbstractObjective
from llr.training._dropout_mask import dropout_mask
from llr.training._layered_function import LayeredFunction
from llr.training._problem import Problem

__all__ = ["LayeredObjective"]

_TEST_ELEMENTS = 1 << 22
"""Most values of a layer held at once when the test MSE is computed."""


class LayeredObjective(AbstractObjective):
    """Chains of layers: a matrix product per layer, forward and backward.

    Args:
        problem: the runs; its parameters are not used.
        dropout: probability of dropping a hidden unit.
        network: the layers of its model.
    """

    def __init__(self, problem: Problem, dropout: float, network: LayeredNetwork) -> None:
        super().__init__(problem, dropout)
        self.function = LayeredFunction(network, problem.x_train.device)
        self.trained = [name for name, p in problem.model.named_parameters() if p.requires_grad]
        self.values = self.function.values_of(self.x_train).contiguous()

    def value_and_gradient(self, params: Parameters, step: Tensor) -> tuple[Tensor, Parameters]:
        outputs, tape = self.function(params, self.values)
        residual = outputs - self.y_train
        mse = (residual.square().sum(2) * self.weight).sum(1)
        if self.dropout > 0:
            mask = dropout_mask(
                self.problem.seeds,
                step,
                n_samples=residual.shape[1],
                n_units=sum(self.function.units),
                dropout=self.dropout,
            )
            outputs, tape = self.function(params, self.values, mask)
            residual = outputs - self.y_train
        error = 2 * residual * self.weight.unsqueeze(2)
        gradient = self.function.gradient(tape, error, self.trained)
        return mse, {name: gradient[name].view_as(params[name]) for name in self.trained}

    def test_mse(self, params: Parameters) -> Tensor:
        x, y = self.problem.x_test, self.problem.y_test
        widest = max(layer.channels * layer.positions for layer in self.function.network.layers)
        chunk = max(1, _TEST_ELEMENTS // (widest * max(1, x.shape[1])))
        losses = []
        for start in range(0, x.shape[0], chunk):
            part = slice(start, start + chunk)
            values = self.function.values_of(x[part])
            outputs, _ = self.function({k: v[part] for k, v in params.items()}, values)
            losses.append((outputs - y[part]).square().mean((1, 2)))
        return torch.cat(losses)
