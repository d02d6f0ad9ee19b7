"""The functions that train: a batch of runs, or one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from llr.errors import InvalidInputError, check_positive_int, check_shape
from llr.training._abstract_engine import AbstractEngine
from llr.training._engines import EngineName, choose_engine
from llr.training._optimizers import GradientFlow, Optimizer
from llr.training._problem import Problem
from llr.training._run_result import RunResult, log_spaced
from llr.training._training_record import Quantity, check_record, record_along

__all__ = ["train", "train_batch"]


def train_batch(
    problem: Problem,
    optimizer: Optimizer,
    *,
    engine: EngineName | AbstractEngine = "auto",
    threads: int | None = None,
) -> list[RunResult]:
    """Train independent runs of one architecture, each to its own end.

    Full-batch training of the mean squared error. A run ends with a status, never with an
    exception, and its result does not depend on the runs beside it.

    Args:
        problem: the runs; sample sizes are free to differ.
        optimizer: gradient descent, Adam or gradient flow, with its parameters.
        engine: ``"auto"``: the flow engine for gradient flow, the compiled one for chains of layers
            (:func:`llr.models.layered_network`) on the CPU, the torch one for everything else. Or
            one of these by name, or your own :class:`AbstractEngine`.
        threads: most CPU threads to use; None: as many as the process may.

    Returns:
        One result per run, in order.

    Raises:
        InvalidInputError: if the engine cannot train these runs, or does not return one result per
            run; the message says why.

    Example:
        >>> import torch
        >>> from llr.models import TwoLayerTanhMLP
        >>> from llr.training import GradientDescent, Problem
        >>> model = TwoLayerTanhMLP(1, width=2, generator=torch.Generator().manual_seed(0))
        >>> x = torch.linspace(-1, 1, 4, dtype=torch.float64).reshape(2, 2, 1)
        >>> problem = Problem(
        ...     model=model,
        ...     params={name: torch.stack([p, p]).detach() for name, p in model.named_parameters()},
        ...     x_train=x, y_train=x.sin(), n_train=torch.tensor([2, 1]),
        ...     x_test=x, y_test=x.sin(), seeds=torch.tensor([0, 1]),
        ... )
        >>> results = train_batch(problem, GradientDescent(lr=0.1, tol=1e-8))
        >>> [result.status for result in results]
        ['converged', 'converged']
    """
    if threads is not None:
        check_positive_int("threads", threads)
    chosen = choose_engine(problem, optimizer, engine)
    results = chosen.run(problem, optimizer, threads=threads)
    if len(results) != problem.n_runs:
        raise InvalidInputError(
            f"{type(chosen).__name__}.run must return {problem.n_runs} results, one per run, got "
            f"{len(results)}."
        )
    return results


def train(
    model: nn.Module,
    x: Tensor | np.ndarray,
    y: Tensor | np.ndarray,
    *,
    optimizer: Optimizer,
    x_test: Tensor | np.ndarray | None = None,
    y_test: Tensor | np.ndarray | None = None,
    engine: EngineName | AbstractEngine = "auto",
    seed: int = 0,
    threads: int | None = None,
    record: Sequence[Quantity] = (),
    at: Sequence[int] | None = None,
) -> RunResult:
    """Train one model from its present parameters; the model itself is not changed.

    Args:
        model: any module from (n, *input_shape) to (n, c).
        x: training inputs (n, *input_shape), in the dtype of the parameters; a tensor or array.
        y: training outputs (n, c), or (n,) for one output.
        optimizer: gradient descent, Adam or gradient flow, with its parameters.
        x_test: test inputs; None: no test MSE (NaN).
        y_test: test outputs.
        engine: as in :func:`train_batch`.
        seed: of dropout.
        threads: most CPU threads to use; None: as many as the process may.
        record: what to measure along the run, for ``result.record``: ``"rank"`` and ``"spectrum"``
            of the tangent matrix on x, ``"clusters"`` of hidden units. For gradient descent and
            Adam.
        at: steps at which to measure; None: three per factor of ten, from 0 to ``max_steps``. The
            end of the run is always measured.

    Returns:
        The result; ``result.params`` are the trained parameters, ready for
        ``model.load_state_dict`` or ``torch.func.functional_call``.

    Raises:
        InvalidInputError: if shapes or dtypes disagree, or the engine cannot train this.

    Example:
        >>> import torch
        >>> from llr.models import PaperTeacherMLP, TwoLayerTanhMLP
        >>> from llr.training import GradientDescent
        >>> g = torch.Generator().manual_seed(0)
        >>> model = TwoLayerTanhMLP(5, width=30, generator=g)
        >>> x = torch.randn(20, 5, dtype=torch.float64, generator=g)
        >>> y = PaperTeacherMLP()(x).detach()
        >>> result = train(model, x, y, optimizer=GradientDescent(tol=1e-3))
        >>> result.status
        'converged'
        >>> result = train(model, x, y, optimizer=GradientDescent(max_steps=10), record=["rank"])
        >>> [(row["step"], row["rank"]) for row in result.record.rows()]
        [(0, 20), (1, 20), (2, 20), (5, 20), (10, 20)]
    """
    if not isinstance(model, nn.Module):
        raise InvalidInputError(f"model must be an nn.Module, got {type(model).__name__}.")
    x, y = _as_tensor("x", x), _as_outputs("y", y)
    if x.dim() < 1 or x.shape[0] < 1:
        raise InvalidInputError(
            f"x must hold at least one sample (n, *input_shape), got shape {tuple(x.shape)}."
        )
    check_shape("y", y.shape, (x.shape[0], "c"))
    if (x_test is None) != (y_test is None):
        raise InvalidInputError("x_test and y_test must be given together, got one of them.")
    if x_test is None or y_test is None:
        x_test, y_test = x[:0], y[:0]
    x_test, y_test = _as_tensor("x_test", x_test), _as_outputs("y_test", y_test)
    keep_at = _steps_to_keep(model, x, optimizer, record, at)
    problem = Problem(
        model=model,
        params={name: p.detach().unsqueeze(0) for name, p in model.named_parameters()},
        x_train=x.unsqueeze(0),
        y_train=y.unsqueeze(0),
        n_train=torch.tensor([x.shape[0]], device=x.device),
        x_test=x_test.unsqueeze(0),
        y_test=y_test.unsqueeze(0),
        seeds=torch.tensor([seed], device=x.device),
        keep_at=keep_at,
    )
    result = train_batch(problem, optimizer, engine=engine, threads=threads)[0]
    if not record:
        return result
    missing = [step for step in keep_at if step <= result.steps and step not in result.snapshots]
    if missing:
        raise InvalidInputError(
            f"record needs the parameters along the run, and engine {result.engine!r} kept none "
            f"at steps {missing}. Use one of the library's engines, or let it fill "
            "RunResult.snapshots."
        )
    snapshots = {**result.snapshots, result.steps: result.params}
    return replace(result, record=record_along(model, x.cpu(), snapshots, record))


def _steps_to_keep(
    model: nn.Module,
    x: Tensor,
    optimizer: Optimizer,
    record: Sequence[Quantity],
    at: Sequence[int] | None,
) -> tuple[int, ...]:
    """The steps at which ``train`` measures, checked."""
    if not record:
        if at is not None:
            raise InvalidInputError("at says when to measure what record names: give record, too.")
        return ()
    check_record(record, model, x)
    if isinstance(optimizer, GradientFlow):
        raise InvalidInputError(
            "record measures after steps of gradient descent or Adam, and a gradient flow has "
            "none. Use GradientDescent with a small lr."
        )
    if at is None:
        return tuple(log_spaced(optimizer.max_steps, per_decade=3).tolist())
    steps = sorted({int(step) for step in at})
    if steps and not 0 <= steps[0] <= steps[-1] <= optimizer.max_steps:
        raise InvalidInputError(
            f"at must hold steps from 0 to max_steps = {optimizer.max_steps}, got {list(at)}."
        )
    return tuple(steps)


def _as_tensor(argument: str, data: Tensor | np.ndarray) -> Tensor:
    """A tensor without history; arrays share their memory with it."""
    if not isinstance(data, Tensor | np.ndarray):
        raise InvalidInputError(
            f"{argument} must be a tensor or a NumPy array, got {type(data).__name__}."
        )
    return torch.as_tensor(data).detach()


def _as_outputs(argument: str, data: Tensor | np.ndarray) -> Tensor:
    """Outputs (n, c); numbers (n,) are one output."""
    outputs = _as_tensor(argument, data)
    return outputs.unsqueeze(1) if outputs.dim() == 1 else outputs
