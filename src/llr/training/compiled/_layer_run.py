"""One run of a layered network by the compiled engine: data and parameters in blocks of eight."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from llr._types import Parameters
from llr.models import LayeredNetwork
from llr.training._descent_result import descent_result
from llr.training._optimizers import Adam, Descent
from llr.training._problem import Problem
from llr.training._run_result import RunResult, log_spaced
from llr.training.compiled._aligned import aligned, aligned_copy
from llr.training.compiled._descent_rule import hyperparameters_of
from llr.training.compiled._layer_kernels import Data, Workspace, descend
from llr.training.compiled._layer_products import TILE
from llr.training.compiled._layer_table import LayerTable, blocks_of
from llr.training.simd import LANES

__all__ = ["LayerRun"]

_TEST_ROWS = 64
"""Test samples evaluated at once, at least."""

_CHUNK = 1e8
"""Multiplications between two checks of whether to stop: some tens of milliseconds."""


class LayerRun:
    """Run ``index`` of a problem, ready to be trained by :meth:`train` on any thread."""

    def __init__(
        self, problem: Problem, index: int, network: LayeredNetwork, optimizer: Descent
    ) -> None:
        self.optimizer, self.network, self.keep_at = optimizer, network, problem.keep_at
        n, n_test = int(problem.n_train[index]), problem.x_test.shape[1]
        rows = -(-max(n, min(_TEST_ROWS, n_test)) // TILE) * TILE
        params = {name: value[index].numpy() for name, value in problem.params.items()}
        dtype = next(iter(params.values())).dtype
        self.table = LayerTable(network, {k: v.shape for k, v in params.items()}, rows)
        self.hyper = hyperparameters_of(optimizer, int(problem.seeds[index]))
        x, y, mask = self._samples(problem.x_train[index, :n], problem.y_train[index, :n])
        x_test, y_test, mask_test = self._samples(problem.x_test[index], problem.y_test[index])
        self.data = Data(n, x, y, mask, n_test, x_test, y_test, mask_test)
        theta = aligned(self.table.n_theta, dtype)
        self.table.pack(params, theta)
        adam = isinstance(optimizer, Adam)
        velocity = adam or optimizer.momentum > 0
        self.space = Workspace(
            rows=rows,
            theta=theta,
            first=aligned(theta.size if velocity else 0, dtype),
            second=aligned(theta.size if adam else 0, dtype),
            back=aligned(self.table.n_back, dtype),
            values=aligned(self.table.n_values, dtype),
            slopes=aligned(self.table.n_values, dtype),
        )
        self.cost = 3 * n * self.table.cost

    def _samples(self, x: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, outputs and a mask of the outputs as values of a layer."""
        flat = x.flatten(1).numpy()
        flat = np.concatenate([flat, np.zeros_like(flat[:, :1])], axis=1)  # at index -1: padding
        last = self.network.layers[-1]
        outputs = y.numpy().reshape(len(y), last.channels, last.positions)
        return (
            _in_blocks(flat[:, self.network.inputs]),
            _in_blocks(outputs),
            _in_blocks(np.ones_like(outputs)),
        )

    def _unpacked(self) -> Parameters:
        """The present parameters by name."""
        params = self.table.unpack(self.space.theta)
        return {name: torch.from_numpy(value) for name, value in params.items()}

    def train(self, engine: str, stop: np.ndarray) -> RunResult | None:
        """Train to the end; None if ``stop[0]`` came first."""
        start = time.perf_counter()
        grid = log_spaced(self.optimizer.max_steps)
        recorded = np.full((2, grid.size), np.nan)
        chunk = max(1, round(_CHUNK / self.cost))
        table = self.table.table(self.space.theta.dtype)
        t, ended, train_mse, test_mse = 0, False, np.nan, np.nan
        snapshots: dict[int, Parameters] = {}
        while not ended:
            if stop[0]:
                return None
            if t in self.keep_at:
                snapshots[t] = self._unpacked()
            until = min([t + chunk, *(step for step in self.keep_at if step > t)])
            t, ended, train_mse, test_mse = descend(
                table, self.hyper, self.data, self.space, grid, recorded, t, until
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


def _in_blocks(values: np.ndarray) -> np.ndarray:
    """Values (n, channels, positions) as (blocks, positions, rows, 8), flat, filled with zeros."""
    n, channels, positions = values.shape
    padded = np.pad(values, [(0, -n % TILE), (0, -channels % LANES), (0, 0)])
    split = padded.reshape(len(padded), blocks_of(channels), LANES, positions)
    return aligned_copy(np.ascontiguousarray(split.transpose(1, 3, 0, 2)))
