"""Training MSE, its gradient and the test MSE of many runs at once, on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from llr._types import Parameters
from llr.models import (
    TwoLayerStructure,
    TwoLayerWeights,
    layered_network,
    two_layer_structure,
)
from llr.training._abstract_objective import AbstractObjective
from llr.training._dropout_mask import dropout_mask
from llr.training._layered_objective import LayeredObjective
from llr.training._problem import Problem

__all__ = [
    "ModuleObjective",
    "TwoLayerObjective",
    "objective_of",
    "random_layers",
]

_TEST_ELEMENTS = 1 << 22
"""Most hidden activations held at once when the test MSE is computed."""


class TwoLayerObjective(AbstractObjective):
    """The two-layer tanh family by explicit formulas.

    With h = tanh(z) of shape (R, P, n, C), residuals e and dropout factors m,

        dL/da_ij = sum_x e(x) m h_ij(x),    delta_ij(x) = e(x) a_ij m (1 - h_ij(x)^2),
        dL/dw_i(j) = sum_x delta_ij(x) x[window_j],    dL/db_i(j) = sum_x delta_ij(x),

    summed over the positions j that share a kernel.
    """

    def __init__(self, problem: Problem, dropout: float, structure: TwoLayerStructure) -> None:
        super().__init__(problem, dropout)
        self.structure = structure
        self.trained = [name for name, p in problem.model.named_parameters() if p.requires_grad]
        self.windows = torch.tensor(structure.windows, device=problem.x_train.device)
        self.patches = self._patches(self.x_train)

    def _patches(self, x: Tensor) -> Tensor:
        """What every position sees: (R, P, n, s)."""
        return x.flatten(2)[:, :, self.windows].transpose(1, 2).contiguous()

    @staticmethod
    def _hidden(weights: TwoLayerWeights, patches: Tensor) -> Tensor:
        """Hidden activations (R, P, n, C)."""
        z = patches @ weights.kernels.permute(0, 2, 3, 1)
        if weights.kernel_bias is not None:
            z = z + weights.kernel_bias.transpose(1, 2).unsqueeze(2)
        return z.tanh_()

    @staticmethod
    def _output(weights: TwoLayerWeights, hidden: Tensor) -> Tensor:
        """Network outputs (R, n)."""
        f = torch.einsum("rpnc,rcp->rn", hidden, weights.output)
        return f if weights.output_bias is None else f + weights.output_bias.unsqueeze(1)

    def _mask(self, step: Tensor) -> Tensor:
        """Dropout factors (R, P, n, C)."""
        r, n = self.weight.shape
        c, p = self.structure.channels, self.structure.positions
        mask = dropout_mask(
            self.problem.seeds, step, n_samples=n, n_units=c * p, dropout=self.dropout
        )
        return mask.to(self.y_train.dtype).reshape(r, n, c, p).permute(0, 3, 1, 2)

    def value_and_gradient(self, params: Parameters, step: Tensor) -> tuple[Tensor, Parameters]:
        weights = self.structure.unpack(params)
        hidden = self._hidden(weights, self.patches)
        y = self.y_train.squeeze(2)
        residual = self._output(weights, hidden) - y
        mse = (residual.square() * self.weight).sum(1)
        slope = 1 - hidden.square()
        if self.dropout > 0:
            mask = self._mask(step)
            hidden, slope = hidden * mask, slope * mask
            residual = self._output(weights, hidden) - y
        error = 2 * residual * self.weight
        delta = slope * weights.output.transpose(1, 2).unsqueeze(2) * error[:, None, :, None]
        kernels = self.patches.transpose(2, 3) @ delta
        biases = delta.sum(2)
        if self.structure.shared:
            kernels, biases = kernels.sum(1, keepdim=True), biases.sum(1, keepdim=True)
        gradient = self.structure.pack(
            TwoLayerWeights(
                kernels=kernels.permute(0, 3, 1, 2),
                kernel_bias=None if weights.kernel_bias is None else biases.transpose(1, 2),
                output=torch.einsum("rpnc,rn->rcp", hidden, error),
                output_bias=None if weights.output_bias is None else error.sum(1),
            )
        )
        return mse, {name: gradient[name] for name in self.trained}

    def test_mse(self, params: Parameters) -> Tensor:
        x, y = self.problem.x_test, self.problem.y_test
        size = self.structure.channels * self.structure.positions * max(1, x.shape[1])
        chunk = max(1, _TEST_ELEMENTS // size)
        losses = []
        for start in range(0, x.shape[0], chunk):
            part = slice(start, start + chunk)
            weights = self.structure.unpack({k: v[part] for k, v in params.items()})
            f = self._output(weights, self._hidden(weights, self._patches(x[part])))
            losses.append((f - y[part].squeeze(2)).square().mean(1))
        return torch.cat(losses)


class ModuleObjective(AbstractObjective):
    """Any module, by ``torch.func``: one functional call, mapped over the runs."""

    def __init__(self, problem: Problem, dropout: float) -> None:
        super().__init__(problem, dropout)
        self.model = problem.model
        device = problem.x_train.device
        self.buffers = {k: b.detach().to(device) for k, b in self.model.named_buffers()}
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        self.trained = [name for name in problem.params if name in trained]

        def loss(
            trained: Parameters, fixed: Parameters, x: Tensor, y: Tensor, weight: Tensor
        ) -> Tensor:
            error = self._call({**trained, **fixed}, x) - y
            return (error.square().sum(1) * weight).sum()

        self._value_and_gradient = vmap(grad_and_value(loss))
        self._predict = vmap(self._call)

    def _call(self, params: Parameters, x: Tensor) -> Tensor:
        """Outputs (n, c) of one run."""
        return functional_call(self.model, {**params, **self.buffers}, (x,))

    def value_and_gradient(self, params: Parameters, step: Tensor) -> tuple[Tensor, Parameters]:
        trained = {name: params[name] for name in self.trained}
        fixed = {name: value for name, value in params.items() if name not in trained}
        gradient, mse = self._value_and_gradient(
            trained, fixed, self.x_train, self.y_train, self.weight
        )
        return mse, gradient

    def test_mse(self, params: Parameters) -> Tensor:
        x, y = self.problem.x_test, self.problem.y_test
        if x.shape[1] == 0:
            return y.new_full((x.shape[0],), torch.nan)
        with torch.no_grad():
            return (self._predict(params, x) - y).square().mean((1, 2))


def objective_of(problem: Problem, dropout: float) -> AbstractObjective:
    """Explicit formulas for chains of layers, ``torch.func`` for every other module."""
    structure = two_layer_structure(problem.model)
    if structure is not None:
        return TwoLayerObjective(problem, dropout, structure)
    network = layered_network(problem.model, tuple(problem.x_train.shape[2:]))
    if network is not None:
        return LayeredObjective(problem, dropout, network)
    return ModuleObjective(problem, dropout)


def random_layers(model: nn.Module) -> list[str]:
    """Names of layers that, in their present mode, draw numbers or change buffers."""
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
    return [
        name or type(module).__name__
        for name, module in model.named_modules()
        if isinstance(module, kinds) and module.training
    ]
