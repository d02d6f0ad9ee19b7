"""The same flow by SciPy's stiff solvers, with the exact Jacobian: NumPy and SciPy alone.

Arrays are laid out by position p, sample n, input s of a window, kernel c. A fully connected
network has one position, a convolution without sharing a set of kernels for each.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.integrate import BDF, LSODA

__all__ = ["METHODS", "End", "Network", "solve"]

METHODS = {"LSODA": LSODA, "BDF": BDF}


class End(NamedTuple):
    """Where a run ended; not finished: the clock stopped it."""

    theta: np.ndarray
    time: float
    train_mse: float
    finished: bool


@dataclass(frozen=True)
class Network:
    """sum_pc a_pc tanh(sum_s w_qsc x_pns), without biases; one q, or one for each position.

    Attributes:
        x: what each position sees of the samples, (P, n, S).
        y: targets (n,).
        kernels: C.
        shared: whether all positions share their kernels.
    """

    x: np.ndarray
    y: np.ndarray
    kernels: int
    shared: bool

    @property
    def sets(self) -> int:
        """How many sets of kernels there are."""
        return 1 if self.shared else self.x.shape[0]

    @property
    def n_input_weights(self) -> int:
        """How many parameters are input weights; they come first."""
        return self.sets * self.x.shape[2] * self.kernels

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Input weights (Q, S, C) and output weights (P, C)."""
        first = self.n_input_weights
        w = theta[:first].reshape(self.sets, self.x.shape[2], self.kernels)
        return w, theta[first:].reshape(self.x.shape[0], self.kernels)

    def hidden(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hidden units (P, n, C), output weights, residuals (n,)."""
        w, a = self.split(theta)
        h = np.tanh(self.x @ w)
        return h, a, (h @ a[:, :, None]).sum(axis=0)[:, 0] - self.y

    def mse(self, theta: np.ndarray) -> float:
        """Mean squared error."""
        return float(np.mean(self.hidden(theta)[2] ** 2))

    def field(self, _t: float, theta: np.ndarray) -> np.ndarray:
        """Minus the gradient of the mean squared error."""
        h, a, r = self.hidden(theta)
        inner = (-2.0 / len(r)) * r[:, None] * (1.0 - h * h) * a[:, None, :]
        w_part = self.x.transpose(0, 2, 1) @ inner
        if self.shared:
            w_part = w_part.sum(axis=0)
        return np.concatenate([w_part.ravel(), (-2.0 / len(r)) * (r @ h).ravel()])

    def jacobian(self, _t: float, theta: np.ndarray) -> np.ndarray:
        """Minus the Hessian of the mean squared error."""
        h, a, r = self.hidden(theta)
        p, n, s = self.x.shape
        slope = 1.0 - h * h
        j_w = (a[:, None, :] * slope)[:, :, None, :] * self.x[:, :, :, None]  # (P, n, S, C)
        j_w = j_w.sum(axis=0) if self.shared else j_w.transpose(1, 0, 2, 3)
        j = np.concatenate([j_w.reshape(n, -1), h.transpose(1, 0, 2).reshape(n, -1)], axis=1)
        out = (-2.0 / n) * (j.T @ j)

        bend = (4.0 / n) * r[:, None] * a[:, None, :] * h * slope
        squares = (self.x[:, :, :, None] * self.x[:, :, None, :]).reshape(p, n, s * s)
        blocks = (bend.transpose(0, 2, 1) @ squares).reshape(p, self.kernels, s, s)
        if self.shared:
            blocks = blocks.sum(axis=0, keepdims=True)
        mixed = (r[:, None] * slope).transpose(0, 2, 1) @ self.x * (-2.0 / n)  # (P, C, S)

        w = np.arange(self.n_input_weights).reshape(self.sets, s, self.kernels).transpose(0, 2, 1)
        output = self.n_input_weights + np.arange(p * self.kernels).reshape(p, self.kernels, 1)
        out[w[..., :, None], w[..., None, :]] += blocks
        w = np.broadcast_to(w, (p, self.kernels, s))
        out[w, output] += mixed
        out[output, w] += mixed
        return out


def solve(
    method: str,
    network: Network,
    theta: np.ndarray,
    *,
    tol: float,
    max_time: float,
    rtol: float,
    atol: float,
    limit_s: float = float("inf"),
) -> End:
    """Step until the training MSE, the flow's time or the clock says stop."""
    start = time.perf_counter()
    solver = METHODS[method](
        network.field, 0.0, theta, max_time, jac=network.jacobian, rtol=rtol, atol=atol
    )
    seconds, mse = 0.0, network.mse(theta)
    while solver.status == "running" and mse > tol and seconds < limit_s:
        solver.step()
        mse, seconds = network.mse(solver.y), time.perf_counter() - start
    finished = mse <= tol or solver.status == "finished"
    return End(solver.y, solver.t, mse, finished)
