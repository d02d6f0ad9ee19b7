"""The gradient flow of one run of any module, with ``torch.func``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, grad_and_value, jacrev

from llr._types import Parameters
from llr.models import layered_network
from llr.tangent import TangentOperator
from llr.training._layered_function import LayeredFunction
from llr.training._optimizers import GradientFlow
from llr.training._problem import Problem
from llr.training._run_result import RunResult
from llr.training.flow._flow_result import flow_result
from llr.training.flow._flow_status import FlowStatus
from llr.training.flow._layered_tangent import LayeredTangent
from llr.training.flow._rosenbrock import RODAS, ROS34PW2
from llr.training.flow._step_control import (
    LEAST_STEP,
    first_step,
    limits_of,
    next_record,
    next_step,
    status_after,
)

__all__ = ["ModuleFlow"]

DENSE_PARAMETERS = 300
"""Up to this many parameters the exact Hessian is the cheapest way."""

_TANGENT_ELEMENTS = 1 << 25
"""Largest tangent matrix that is formed: a quarter of a gigabyte."""

Product: TypeAlias = Callable[[Tensor], Tensor]
Solve: TypeAlias = Callable[[Tensor], Tensor]
Factorize: TypeAlias = Callable[[float], Solve | None]


class ModuleFlow:
    """Run ``index`` of a problem.

    Up to ``DENSE_PARAMETERS`` parameters: RODAS with the exact Hessian. Above: the W-method
    ROS34PW2 with the Gauss-Newton part (2 / N) J^T J of the Hessian, N = n c, through

        (c I + (2 / N) J^T J)^{-1} b = (b - J^T (N c / 2 I + J J^T)^{-1} J b) / c.
    """

    def __init__(self, problem: Problem, index: int, optimizer: GradientFlow) -> None:
        self.model, self.optimizer = problem.model, optimizer
        n = int(problem.n_train[index])
        self.x, self.y = problem.x_train[index, :n], problem.y_train[index, :n]
        self.x_test, self.y_test = problem.x_test[index], problem.y_test[index]
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        self.initial = {name: value[index] for name, value in problem.params.items()}
        self.shapes = {k: v.shape for k, v in self.initial.items() if k in trained}
        self.fixed = {k: v for k, v in self.initial.items() if k not in trained}
        device = self.x.device
        self.fixed |= {k: b.detach().to(device) for k, b in self.model.named_buffers()}
        self.sizes = [shape.numel() for shape in self.shapes.values()]
        self.groups = self._groups()
        self.method = RODAS if self.exact else ROS34PW2
        self._loss_and_slope = grad_and_value(self._loss)
        network = layered_network(self.model, tuple(self.x.shape[1:]))
        self.layered = None if network is None else LayeredFunction(network, device)
        if self.layered is not None:
            self.values = self.layered.values_of(self.x[None]).contiguous()
        elif not self.exact:
            self.operator = TangentOperator(self.model, self.x, params=self.initial)

    @property
    def exact(self) -> bool:
        """Whether the Hessian is formed."""
        return sum(self.sizes) <= DENSE_PARAMETERS

    def _groups(self) -> Tensor:
        """For each parameter the number of the group that it is measured with.

        A group is a row of a weight, what one unit sees, or a whole vector.
        """
        counts = [
            (shape[0], shape[1:].numel()) if len(shape) > 1 else (1, shape.numel())
            for shape in self.shapes.values()
        ]
        lengths = torch.tensor([length for rows, length in counts for _ in range(rows)])
        return torch.arange(len(lengths)).repeat_interleave(lengths).to(self.x.device)

    def _largest(self, theta: Tensor) -> Tensor:
        """The largest magnitude in each group, (groups,)."""
        out = theta.new_zeros(int(self.groups[-1]) + 1)
        return out.scatter_reduce_(0, self.groups, theta.abs(), "amax")

    def _params(self, theta: Tensor) -> Parameters:
        """Trained parameters by name."""
        parts = theta.split(self.sizes)
        return {k: part.view(s) for part, (k, s) in zip(parts, self.shapes.items(), strict=True)}

    def _call(self, theta: Tensor, x: Tensor) -> Tensor:
        """Outputs (n, c)."""
        return functional_call(self.model, {**self._params(theta), **self.fixed}, (x,))

    def _loss(self, theta: Tensor) -> Tensor:
        """Training MSE."""
        return (self._call(theta, self.x) - self.y).square().mean()

    def _test_mse(self, theta: Tensor) -> float:
        """Test MSE; NaN without test samples."""
        if len(self.x_test) == 0:
            return float("nan")
        with torch.no_grad():
            return float((self._call(theta, self.x_test) - self.y_test).square().mean())

    def _exact(self, theta: Tensor) -> tuple[Factorize, float]:
        """Systems with c I + Hessian, refused where it is indefinite; the size of the Hessian."""
        matrix = jacrev(grad(self._loss))(theta)
        identity = torch.eye(len(theta), dtype=theta.dtype, device=theta.device)

        def factorize(c: float) -> Solve | None:
            lower, failed = torch.linalg.cholesky_ex(matrix + c * identity)
            if int(failed):
                return None
            return lambda b: torch.cholesky_solve(b[:, None], lower)[:, 0]

        return factorize, float(matrix.norm())

    def _gauss_newton(self, theta: Tensor) -> tuple[Factorize, float]:
        """Systems with c I + (2 / N) J^T J, and the size of that matrix."""
        gram, apply, transpose = self._tangent(theta)
        identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        half = 0.5 * len(gram)

        def factorize(c: float) -> Solve | None:
            lower, failed = torch.linalg.cholesky_ex(gram + (half * c) * identity)
            if int(failed):
                return None
            return lambda b: (
                (b - transpose(torch.cholesky_solve(apply(b)[:, None], lower)[:, 0])) / c
            )

        return factorize, float(gram.norm()) / half

    def _tangent(self, theta: Tensor) -> tuple[Tensor, Product, Product]:
        """J J^T, and the products with J and with J^T."""
        if self.layered is not None:
            params = {**self._params(theta), **self.fixed}
            tangent = LayeredTangent.of(self.layered, params, self.x, self.shapes)
            return tangent.gram(), tangent.apply, tangent.transpose
        operator = self.operator.with_function(
            self.operator.function.with_params(self._params(theta))
        )
        if operator.shape[0] * operator.shape[1] > _TANGENT_ELEMENTS:
            gram = torch.cat([(operator @ rows.T).T for rows in operator.row_blocks()])
            return gram, lambda v: operator @ v, lambda u: operator.T @ u
        j = operator.to_dense()
        return j @ j.T, lambda v: j @ v, lambda u: j.T @ u

    def _step(self, theta: Tensor, dt: float, field: Tensor, solve: Solve) -> tuple[Tensor, Tensor]:
        """The end of a step of size dt, and its estimated error."""
        method = self.method
        stages: list[Tensor] = []
        for i in range(len(method.m)):
            if i > 0:
                point = theta + _combine(method.a[i], stages)
                field = self._field(point)[1] + _combine(method.c[i] / dt, stages)
            stages.append(solve(field))
        return theta + _combine(method.m, stages), _combine(method.e, stages)

    def _field(self, theta: Tensor) -> tuple[float, Tensor]:
        """Training MSE, and -(its gradient + weight_decay theta)."""
        if self.layered is None:
            slope, loss = self._loss_and_slope(theta)
        else:
            params = {k: p[None] for k, p in {**self._params(theta), **self.fixed}.items()}
            outputs, tape = self.layered(params, self.values)
            residual = outputs - self.y
            loss = residual.square().mean()
            error = residual * (2 / residual.numel())
            gradient = self.layered.gradient(tape, error, list(self.shapes))
            slope = torch.cat([gradient[name][0] for name in self.shapes])
        return float(loss), -slope - self.optimizer.weight_decay * theta

    def run(self, engine: str) -> RunResult:
        """Integrate to the end."""
        start = time.perf_counter()
        theta = torch.cat([self.initial[name].reshape(-1) for name in self.shapes])
        limits = limits_of(self.optimizer, self._largest(theta).cpu().numpy())
        wd = limits.weight_decay
        records: list[tuple[float, float, float]] = []
        t, dt, taken, steps, next_t = 0.0, 0.0, 0.0, 0, 0.0
        mark = np.array([0.0, np.inf, np.inf])
        status = FlowStatus.RUNNING
        while True:
            mse, field = self._field(theta)
            if not field.any():  # where nothing moves, be it a saddle, nothing ever will
                t = limits.max_time
            if status == FlowStatus.RUNNING:
                energy = mse + 0.5 * wd * float(theta.square().sum())
                status = status_after(t, taken, steps, mse, energy, limits, mark)
            if t >= next_t or status != FlowStatus.RUNNING:
                records.append((t, mse, self._test_mse(theta)))
                next_t = next_record(t)
            if status != FlowStatus.RUNNING:
                break
            factorize, size = self._exact(theta) if self.exact else self._gauss_newton(theta)
            if steps == 0:
                dt, mark[0] = first_step(size + wd)
            rejected = False
            while status == FlowStatus.RUNNING:
                taken = min(dt, limits.max_time - t)
                solve = factorize(1.0 / (self.method.gamma * taken) + wd)
                end, error = theta, float("inf")
                if solve is not None:
                    end, estimate = self._step(theta, taken, field, solve)
                    scale = limits.atol + limits.rtol * torch.maximum(
                        self._largest(theta), self._largest(end)
                    )
                    error = float((estimate / scale[self.groups]).square().mean().sqrt())
                dt = next_step(taken, error, self.method.order, rejected)
                if error <= 1.0:
                    t = limits.max_time if taken == limits.max_time - t else t + taken
                    theta, steps = end, steps + 1
                    break
                rejected = True
                if not dt > LEAST_STEP * t:
                    status = FlowStatus.STEP_TOO_SMALL
        trained = self._params(theta)
        return flow_result(
            self.optimizer,
            status=FlowStatus(status),
            steps=steps,
            records=np.array(records).T,
            seconds=time.perf_counter() - start,
            params={name: trained.get(name, value).cpu() for name, value in self.initial.items()},
            engine=engine,
        )


def _combine(weights: np.ndarray, stages: list[Tensor]) -> Tensor:
    """sum_j weights_j stages_j."""
    total = torch.zeros_like(stages[0])
    for weight, stage in zip(weights, stages, strict=False):
        if weight != 0.0:
            total.add_(stage, alpha=float(weight))
    return total
