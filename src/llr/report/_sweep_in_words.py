"""A sweep in words: its question, grid and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from llr._constants import RECOVERY_THRESHOLD
from llr.report._display_names import architecture_name, sci

__all__ = ["asked", "listed", "time_label"]

_TARGETS = {
    "paper": "f*(x) = tanh(0.6 x₁ + 0.8 x₂ + x₃) + tanh(0.6 x₂ + 0.8 x₃ + x₄) + …, "
    "one term for every window of three inputs",
    "three_bumps": "f*(x) = tanh(x - 7) + tanh(x) + tanh(x + 7)",
    "affine": "an affine function",
    "file": "a network read from a file",
}
_RANDOM = {
    "mlp": "a random fully connected network of {width} neurons",
    "matrix": "a random matrix of rank {width}",
    "linear": "a random linear function of {width} inputs",
}
_INPUTS = {
    "normal": "standard normal inputs",
    "uniform": "inputs uniform on [{low:g}, {high:g}]",
    "grid": "evenly spaced inputs on [{low:g}, {high:g}]",
    "entries": "random entries of a matrix",
}
_OPTIMIZERS = {
    "gradient_descent": "full-batch gradient descent",
    "sgd": "full-batch gradient descent",  # in results of earlier versions
    "adam": "full-batch Adam",
    "gradient_flow": "the gradient flow",
}
_STARTS = {
    "default": "PyTorch's default initialisation",
    "near_target": "a point near the target",
}

_Section = Mapping[str, Any]


def asked(config: _Section, runs: pd.DataFrame, *, n_runs: int) -> list[str]:
    """The question of a sweep in sentences, without what its config leaves open.

    Args:
        config: sections of plain values, as in the results file.
        runs: one row per run, stored so far.
        n_runs: runs of the whole grid.

    Returns:
        The sentences: question, grid, training, what counts as recovered.
    """
    data = config.get("data", {})
    models = [_in_a_sentence(model) for model in runs["model"].unique()]
    sentences = [f"How many samples do networks need to recover {_target(data)}?"]
    if models:
        sentences.append(_grid(models, runs, n_runs))
    if training := _training(config):
        sentences.append(training)
    test = data.get("test_size")
    fresh = f" on {test:,} test samples" if isinstance(test, int) else ""
    sentences.append(
        f"A run has recovered the target if its MSE{fresh} is below {sci(RECOVERY_THRESHOLD)}."
    )
    return sentences


def time_label(config: _Section) -> str:
    """The unit of time of a loss curve."""
    flow = config.get("training", {}).get("optimizer") == "gradient_flow"
    return "flow time t" if flow else "steps"


def listed(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _in_a_sentence(model: Any) -> str:
    """The name of an architecture, its first letter small if the name is llr's own."""
    name = architecture_name(model)
    return name if name == model else name[0].lower() + name[1:]


def _target(data: _Section) -> str:
    """The target, and the inputs it is sampled on."""
    name = data.get("target", "the target")
    if name == "random":
        kind = data.get("target_model", "mlp")
        words = _RANDOM.get(kind, f"a random {architecture_name(kind)} of {{width}} kernels")
        target = words.format(width=data.get("target_width", 1))
    elif isinstance(name, str) and name.startswith("M") and name[1:].isdigit():
        target = f"the papers' 4 by 4 matrix {name}"
    else:
        target = _TARGETS.get(name, str(name))
    inputs = _INPUTS.get(data.get("distribution", ""))
    if inputs is None:
        return target
    where = inputs.format(low=data.get("low", -1.0), high=data.get("high", 1.0))
    noise = data.get("noise_std")
    noisy = f", whose values carry noise of deviation {sci(noise)}," if noise else ""
    return f"{target}, from {where}{noisy} in dimension {data.get('input_dim', '?')}"


def _grid(models: Sequence[str], runs: pd.DataFrame, n_runs: int) -> str:
    """The axes of the grid."""
    sizes = runs["sample_size"].to_numpy()
    axes = [listed(models)]
    for column, times in (("scale", "x"), ("width", "")):
        values = np.unique(runs[column].dropna()) if column in runs else np.array([])
        if values.size:
            names = [f"{value:g}{times}" for value in values]
            axes.append(
                f"{column} {listed(names)}" if len(names) <= 8 else f"{len(names)} {column}s"
            )
            break  # a width that follows from the scale is not an axis
    n_sizes, n_seeds = len(np.unique(sizes)), len(runs["seed"].unique())
    span = f"{sizes.min():g} to {sizes.max():g} samples" if n_sizes > 1 else f"{sizes.min():g}"
    axes.append(f"{n_sizes} sample size{'s' * (n_sizes > 1)} ({span})")
    axes.append(f"{n_seeds} seed{'s' * (n_seeds > 1)}")
    total = "There is 1 run" if n_runs == 1 else f"There are {n_runs:,} runs"
    return f"{total}: {'; '.join(axes)}."


def _training(config: _Section) -> str:
    """How runs start, move and stop."""
    training, init = config.get("training", {}), config.get("init", {})
    how = _OPTIMIZERS.get(training.get("optimizer", ""))
    if how is None:
        return ""
    stds = config.get("sweep", {}).get("init_stds") or [init["std"]] if "std" in init else []
    start = _STARTS.get(init.get("method", ""))
    if start is None and stds:
        start = f"normal parameters of deviation {listed([sci(std) for std in stds])}"
    options = [
        f"{words} {sci(training[key])}"
        for key, words in (
            ("lr", "learning rate"),
            ("weight_decay", "weight decay"),
            ("dropout", "dropout"),
        )
        if training.get(key)
    ]
    stops = [
        words.format(sci(training[key]))
        for key, words in (
            ("tol", "its training MSE is at most {}"),
            ("max_time", "time {} has passed"),
            ("max_steps", "{} steps are done"),
        )
        if training.get(key) is not None
    ]
    begin = f"Each starts from {start} and follows" if start else "Each follows"
    with_options = f" with {listed(options)}" if options else ""
    until = f" until {', or '.join(stops)}" if stops else ""
    return f"{begin} {how}{with_options}{until}."
