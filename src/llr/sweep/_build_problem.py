"""From specs to the tensors that an engine trains on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from llr._types import Parameters
from llr.data import Dataset, make_dataset
from llr.errors import InvalidInputError
from llr.models import initialize
from llr.seeds import derive_seed, generator
from llr.sweep._spec import RunSpec
from llr.training import Optimizer, Problem

__all__ = ["build_dataset", "build_problem", "least_rank_point", "optimizer_of"]


def optimizer_of(spec: RunSpec) -> Optimizer:
    """How to train a run."""
    return spec.optimizer


def build_dataset(spec: RunSpec, target: nn.Module | None = None) -> Dataset:
    """The samples of a run.

    Args:
        spec: the run.
        target: its target, where it is built already.

    Returns:
        Training and test samples, float64, on the CPU.
    """
    return make_dataset(
        spec.target.build() if target is None else target,
        distribution=spec.distribution,
        n_train=spec.sample_size,
        n_test=spec.test_size,
        input_shape=spec.input_shape,
        noise_std=spec.noise_std,
        low=-1.0 if spec.low is None else spec.low,
        high=1.0 if spec.high is None else spec.high,
        entries=spec.entries,
        seed=spec.seed,
    )


def build_problem(specs: Sequence[RunSpec]) -> Problem:
    """Runs of one architecture as one problem; a run's numbers do not depend on the others.

    Args:
        specs: at least one; same architecture and test size, all else free to differ.

    Returns:
        The problem, in the order of the specs, float64, on the CPU.

    Raises:
        InvalidInputError: if architectures differ, or a target's file has changed.

    Example:
        >>> from llr.config import parse_config
        >>> from llr.sweep import single_run
        >>> problem = build_problem([single_run(parse_config({}))])
        >>> problem.n_runs, problem.x_train.shape
        (1, torch.Size([1, 20, 5]))
    """
    shapes = {(*spec.architecture, spec.test_size) for spec in specs}
    if len(shapes) != 1:
        raise InvalidInputError(
            "specs must be one or more runs of one architecture and test size, got "
            f"{len(shapes)} of them; group the runs by batch_key."
        )
    built = {target: target.build() for target in {spec.target for spec in specs}}
    model = specs[0].build_model()
    starts = {
        target: least_rank_point(model, built[target])
        for target in {spec.target for spec in specs if spec.init_method == "near_target"}
    }
    return Problem.stack(
        [_one_run(spec, model, built[spec.target], starts.get(spec.target)) for spec in specs]
    )


def least_rank_point(model: nn.Module, target: nn.Module) -> Parameters:
    """The target's parameters of least model rank."""
    from llr.theory import optimistic_sample_size

    return optimistic_sample_size(model, target).witness


def _one_run(
    spec: RunSpec, model: nn.Module, target: nn.Module, start: Parameters | None
) -> Problem:
    """A problem of one run; the model is drawn anew, around the start where there is one."""
    std = 0.0 if spec.init_std is None else spec.init_std
    stream = generator(spec.seed, "init", spec.model)
    method = "default" if spec.init_method == "default" else "normal"
    initialize(model, method=method, std=std, generator=stream)
    params = {name: p.detach().clone()[None] for name, p in model.named_parameters()}
    if spec.init_method == "near_target" and start is not None:
        params = {name: start[name] + draw for name, draw in params.items()}
    data = build_dataset(spec, target)
    return Problem(
        model=model,
        params=params,
        x_train=data.x_train[None],
        y_train=data.y_train[None],
        n_train=torch.tensor([spec.sample_size]),
        x_test=data.x_test[None],
        y_test=data.y_test[None],
        seeds=torch.tensor([derive_seed(spec.seed, "dropout")]),
    )
