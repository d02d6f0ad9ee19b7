"""One two-layer tanh run of the compiled engine: its parameters in the kernel's layout."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import TwoLayerStructure, TwoLayerWeights
from llr.training._descent_result import descent_result
from llr.training._optimizers import Adam, Descent
from llr.training._problem import Problem
from llr.training._run_result import RunResult, log_spaced
from llr.training.compiled._aligned import aligned, aligned_copy
from llr.training.compiled._descent_rule import hyperparameters_of
from llr.training.compiled._two_layer_kernels import (
    TILE,
    Data,
    Sizes,
    Workspace,
    descend,
)
from llr.training.simd import LANES

__all__ = ["TwoLayerRun", "descend"]

_TEST_ROWS = 64
"""Test samples evaluated at once, at least."""

_CHUNK = 3e7
"""Hidden activations between two looks at whether to stop: some tens of milliseconds."""


class TwoLayerRun:
    """Run ``index`` of a problem, ready to be trained by :meth:`train` on any thread."""

    def __init__(
        self, problem: Problem, index: int, structure: TwoLayerStructure, optimizer: Descent
    ) -> None:
        self.structure, self.optimizer, self.keep_at = structure, optimizer, problem.keep_at
        n = int(problem.n_train[index])
        s, p = structure.window_size, structure.positions
        self.sizes = Sizes(
            positions=p,
            kernels=structure.kernels_per_channel,
            blocks=-(-structure.channels // LANES),
            window=s,
            samples=n,
            tiles=-(-max(n, min(_TEST_ROWS, problem.x_test.shape[1])) // TILE),
            hidden_bias=structure.hidden_bias,
            output_bias=structure.output_bias,
        )
        self.hyper = hyperparameters_of(optimizer, int(problem.seeds[index]))
        self.data = Data(
            x=self._patches(problem.x_train[index, :n]),
            y=aligned_copy(problem.y_train[index, :n].numpy()),
            x_test=self._patches(problem.x_test[index]),
            y_test=aligned_copy(problem.y_test[index].numpy()),
        )
        theta = self._packed({name: value[index] for name, value in problem.params.items()})
        hidden = p * self.sizes.blocks * self.sizes.tiles * TILE * LANES
        adam = isinstance(optimizer, Adam)
        velocity = adam or optimizer.momentum > 0
        self.space = Workspace(
            theta=theta,
            first=aligned(theta.size if velocity else 0),
            second=aligned(theta.size if adam else 0),
            hidden=aligned(hidden),
            slope=aligned(hidden if optimizer.dropout > 0 else 0),
            outputs=aligned(self.sizes.tiles * TILE),
            gradient=aligned(2 * (s + 1) * LANES),
        )

    @property
    def cost(self) -> int:
        """Hidden activations in a step."""
        size = self.sizes
        return size.positions * size.blocks * LANES * size.samples

    def _patches(self, x: Tensor) -> np.ndarray:
        """What every position sees of inputs (n, *input_shape), as (P, tiles, s, 4)."""
        seen = x.flatten(1).numpy()[:, np.array(self.structure.windows)]
        seen = np.pad(seen, ((0, -len(seen) % TILE), (0, 0), (0, 0)))
        n, p, s = seen.shape
        return aligned_copy(seen.reshape(n // TILE, TILE, p, s).transpose(2, 0, 3, 1))

    def _packed(self, params: dict[str, Tensor]) -> np.ndarray:
        """Parameters by name in the kernels' layout."""
        weights = self.structure.unpack(params)
        size, channels = self.sizes, self.structure.channels
        padded = size.blocks * LANES
        kernels = np.zeros((size.kernels, padded, size.window + 1))
        kernels[:, :channels, :-1] = weights.kernels.transpose(0, 1).numpy()
        if weights.kernel_bias is not None:
            kernels[:, :channels, -1] = weights.kernel_bias.T.numpy()
        output = np.zeros((size.positions, padded))
        output[:, :channels] = weights.output.T.numpy()
        bias = 0.0 if weights.output_bias is None else weights.output_bias.item()
        blocks = kernels.reshape(size.kernels, size.blocks, LANES, -1).transpose(0, 1, 3, 2)
        return aligned_copy(
            np.concatenate([blocks.reshape(-1), output.reshape(-1), [bias] * LANES])
        )

    def _unpacked(self) -> dict[str, Tensor]:
        """The present parameters by name."""
        size, channels = self.sizes, self.structure.channels
        rows, padded = size.window + 1, size.blocks * LANES
        count = size.kernels * padded * rows
        blocks = self.space.theta[:count].reshape(size.kernels, size.blocks, rows, LANES)
        kernels = blocks.transpose(1, 3, 0, 2).reshape(padded, size.kernels, rows)[:channels]
        output = self.space.theta[count:-LANES].reshape(size.positions, padded)[:, :channels]
        weights = TwoLayerWeights(
            kernels=torch.from_numpy(kernels[..., :-1].copy()),
            kernel_bias=torch.from_numpy(kernels[..., -1].copy()) if size.hidden_bias else None,
            output=torch.from_numpy(output.T.copy()),
            output_bias=torch.tensor(self.space.theta[-1]) if size.output_bias else None,
        )
        return self.structure.pack(weights)

    def train(self, engine: str, stop: np.ndarray) -> RunResult | None:
        """Train to the end; None if ``stop[0]`` came first."""
        start = time.perf_counter()
        grid = log_spaced(self.optimizer.max_steps)
        recorded = np.full((2, grid.size), np.nan)
        chunk = max(1, round(_CHUNK / self.cost))
        t, ended, train_mse, test_mse = 0, False, np.nan, np.nan
        snapshots: dict[int, Parameters] = {}
        while not ended:
            if stop[0]:
                return None
            if t in self.keep_at:
                snapshots[t] = self._unpacked()
            until = min([t + chunk, *(step for step in self.keep_at if step > t)])
            t, ended, train_mse, test_mse = descend(
                self.sizes, self.hyper, self.data, self.space, grid, recorded, t, until
            )
        if t in self.keep_at:
            snapshots[t] = self._unpacked()
        return descent_result(
            self.optimizer,
            steps=t,
            recorded=(recorded[0], recorded[1]),
            final=(train_mse, test_mse),
            seconds=time.perf_counter() - start,
            params=self._unpacked(),
            engine=engine,
            snapshots=snapshots,
        )
