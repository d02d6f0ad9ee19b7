"""One two-layer tanh run of the flow engine: its parameters in blocks, and back."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import TwoLayerStructure, TwoLayerWeights
from llr.training._optimizers import GradientFlow
from llr.training._problem import Problem
from llr.training._run_result import RunResult
from llr.training.flow._block_curvature import Samples, Sizes
from llr.training.flow._flow_result import flow_result
from llr.training.flow._flow_status import FlowStatus
from llr.training.flow._integrate import integrate
from llr.training.flow._padded_algebra import padded
from llr.training.flow._rosenbrock import RODAS
from llr.training.flow._step_control import limits_of, most_records

__all__ = ["CompiledFlow"]


class CompiledFlow:
    """Run ``index`` of a problem, ready to be integrated on any thread."""

    def __init__(
        self, problem: Problem, index: int, structure: TwoLayerStructure, optimizer: GradientFlow
    ) -> None:
        self.structure, self.optimizer = structure, optimizer
        self.sizes = Sizes(
            channels=structure.channels,
            kernels=structure.kernels_per_channel,
            positions=structure.positions // structure.kernels_per_channel,
            weights=structure.window_size + structure.hidden_bias,
            output_bias=structure.output_bias,
        )
        n = int(problem.n_train[index])
        self.samples = self._samples(problem.x_train[index, :n], problem.y_train[index, :n])
        self.test = self._samples(problem.x_test[index], problem.y_test[index])
        self.theta = self._packed({name: value[index] for name, value in problem.params.items()})

    @property
    def _blocks(self) -> tuple[int, int]:
        """Number of kernels, and how many parameters each has with its output weights."""
        shape = self.structure
        kernels = shape.channels * shape.kernels_per_channel
        return kernels, (shape.n_parameters - shape.output_bias) // kernels

    def _samples(self, x: Tensor, y: Tensor) -> Samples:
        """What every position sees of inputs (n, *input_shape), by kernel, padded with zeros."""
        shape, n = self.structure, len(x)
        seen = x.detach().cpu().flatten(1).numpy()[:, np.array(shape.windows)].transpose(1, 2, 0)
        out = np.zeros((*self.sizes[1:4], padded(n)))
        flat = out.reshape(shape.positions, self.sizes.weights, -1)
        flat[:, : shape.window_size, :n] = seen
        flat[:, shape.window_size :, :n] = 1.0
        values = np.zeros(out.shape[-1])
        values[:n] = y.detach().cpu().reshape(-1)
        return Samples(n, out, values)

    def _packed(self, params: Parameters) -> np.ndarray:
        """Parameters by name in blocks."""
        weights = self.structure.unpack({k: v.detach().cpu() for k, v in params.items()})
        parts = [weights.kernels]
        if weights.kernel_bias is not None:
            parts.append(weights.kernel_bias.unsqueeze(-1))
        parts.append(weights.output.reshape(*weights.kernels.shape[:2], -1))
        theta = torch.cat(parts, dim=-1).reshape(-1)
        if weights.output_bias is not None:
            theta = torch.cat([theta, weights.output_bias.reshape(1)])
        return theta.numpy().copy()

    def _unpacked(self) -> Parameters:
        """The present parameters by name."""
        shape = self.structure
        kernels, size = self._blocks
        blocks = torch.from_numpy(self.theta[: kernels * size].copy())
        blocks = blocks.reshape(shape.channels, shape.kernels_per_channel, size)
        s, hidden_bias = shape.window_size, shape.hidden_bias
        return shape.pack(
            TwoLayerWeights(
                kernels=blocks[..., :s].contiguous(),
                kernel_bias=blocks[..., s].contiguous() if hidden_bias else None,
                output=blocks[..., s + hidden_bias :].reshape(shape.channels, -1),
                output_bias=torch.tensor(self.theta[-1]) if shape.output_bias else None,
            )
        )

    def run(self, engine: str, stop: np.ndarray) -> RunResult | None:
        """Integrate to the end; None if ``stop[0]`` came first."""
        start = time.perf_counter()
        kernels, size = self._blocks
        largest = np.abs(self.theta[: kernels * size].reshape(kernels, size)).max(axis=1)
        limits = limits_of(self.optimizer, largest)
        records = np.empty((3, most_records(limits.max_time)))
        status, steps, count = integrate(
            self.theta, self.sizes, self.samples, self.test, limits, RODAS, records, stop
        )
        if status == FlowStatus.RUNNING:
            return None
        return flow_result(
            self.optimizer,
            status=FlowStatus(status),
            steps=steps,
            records=records[:, :count],
            seconds=time.perf_counter() - start,
            params=self._unpacked(),
            engine=engine,
        )
