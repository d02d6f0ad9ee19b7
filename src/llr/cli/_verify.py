"""``llr verify``: in seconds, whether this installation computes what it should."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from llr._types import Parameters
    from llr.models import ModelName, TwoLayerStructure

__all__ = ["CHECKS", "verify"]


@click.command()
def verify() -> int:
    """Check that this installation computes right, line by line; 1 if anything is wrong."""
    started = time.monotonic()
    n_failed = 0
    for name, check in CHECKS.items():
        try:
            click.echo(f"ok    {name}: {check()}")
        except Exception as error:  # a broken installation fails in any way
            n_failed += 1
            reason = " ".join(str(error).split()) or "no message"
            click.echo(f"FAIL  {name}: {type(error).__name__}: {reason}")
    verdict = f"{n_failed} of {len(CHECKS)} checks failed" if n_failed else "All checks passed"
    click.echo(f"{verdict} in {time.monotonic() - started:.1f} s.")
    return 1 if n_failed else 0


class _WrongNumberError(Exception):
    """A check came to another result than it must."""


def _must(what: str, got: object, wanted: object) -> None:
    """Check that two results are the same."""
    if got != wanted:
        raise _WrongNumberError(f"{what} must be {wanted}, got {got}.")


def _close(what: str, got: float, wanted: float) -> None:
    """Check that two numbers agree to 12 digits."""
    if not math.isclose(got, wanted, rel_tol=1e-12):
        raise _WrongNumberError(f"{what} must be {wanted!r}, got {got!r}.")


def _versions() -> str:
    """What is installed."""
    from llr.sweep import describe_environment

    return ", ".join(
        f"{name} {version}" for name, version in describe_environment()["versions"].items()
    )


def _models() -> str:
    """Every model: output shape, state_dict, and for two layers the sum over the units."""
    import torch

    from llr.models import MODEL_NAMES, ModelSizes, build_model, two_layer_structure

    stream = torch.Generator().manual_seed(0)
    for name in MODEL_NAMES:
        sizes = ModelSizes(input_dim=2 if name.startswith("toy") else 5, width=3)
        model, other = (build_model(name, sizes, generator=stream) for _ in range(2))
        shape = cast(tuple[int, ...], model.input_shape)
        x = torch.randn(4, *shape, generator=stream, dtype=torch.float64)
        _must(f"the output shape of {name}", tuple(model(x).shape), (4, 1))
        other.load_state_dict(model.state_dict())
        _must(f"{name} after load_state_dict", other(x).tolist(), model(x).tolist())
        structure = two_layer_structure(model)
        if structure is not None:
            params = {name: value.detach() for name, value in model.named_parameters()}
            by_hand = _sum_of_units(structure, params, x[0].flatten().tolist())
            _close(f"{name} at a point", model(x)[0, 0].item(), by_hand)
    return f"{len(MODEL_NAMES)} architectures compute the sum of their units"


def _sum_of_units(structure: TwoLayerStructure, params: Parameters, x: list[float]) -> float:
    """A two-layer network without output bias at one point, unit by unit, without PyTorch."""
    weights = structure.unpack(params)
    w, a = weights.kernels.tolist(), weights.output.tolist()
    b = [] if weights.kernel_bias is None else weights.kernel_bias.tolist()
    total = 0.0
    for i in range(structure.channels):
        for j, window in enumerate(structure.windows):
            q = 0 if structure.shared else j
            z = b[i][q] + sum(w[i][q][t] * x[place] for t, place in enumerate(window))
            total += a[i][j] * math.tanh(z)
    return total


def _targets() -> str:
    """Targets against the formulas of the papers."""
    import torch

    from llr.data import PAPER_MATRICES, all_entries, make_target

    x = [0.3, -1.2, 0.5, 2.0, -0.7]
    value = make_target("paper")(torch.tensor([x], dtype=torch.float64)).item()
    by_hand = sum(math.tanh(0.6 * x[i] + 0.8 * x[i + 1] + x[i + 2]) for i in range(3))
    _close("the papers' target", value, by_hand)
    value = make_target("three_bumps")(torch.tensor([[5.0]], dtype=torch.float64)).item()
    _close("the three bumps", value, math.tanh(-2.0) + math.tanh(5.0) + math.tanh(12.0))
    for name, matrix in PAPER_MATRICES.items():
        _must(name, make_target(name)(all_entries(4, 4)).reshape(4, 4).tolist(), matrix.tolist())
    return f"paper {by_hand:.6f}, three bumps, {len(PAPER_MATRICES)} matrices"


def _tiny_sweep(folder: Path, **overrides: Any) -> Any:
    """The config of a sweep that takes a blink."""
    from llr.config import parse_config

    values = {
        "experiment.name": "verify",
        "output.dir": str(folder),
        "data.train_size": 8,
        "data.test_size": 50,
        "model.type": "cnn_shared",
        "model.scale": 1,
        "training.lr": 0.3,
        "init.std": 0.1,
        "sweep.enabled": True,
        "sweep.models": ["cnn_shared"],
        "sweep.sample_sizes": [8],
        "sweep.seeds": 2,
        "execution.executor": "in_process",
    }
    return parse_config({}, values | overrides)


def _training() -> str:
    """A run must reach its tolerance, and recover the target on the way."""
    from llr.sweep import train_single

    with tempfile.TemporaryDirectory() as folder:
        result = train_single(_tiny_sweep(Path(folder))).result
    _must("the status of a run", result.status, "converged")
    _must("its training MSE <= 1e-10", result.train_mse <= 1e-10, True)
    _must("its test MSE <= 1e-6", result.test_mse <= 1e-6, True)
    return (
        f"training MSE {result.train_mse:.1e} after {result.steps} steps, test MSE "
        f"{result.test_mse:.1e} ({result.engine} engine)"
    )


def _runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Runs of a results file by id, without what differs from one execution to the next."""
    results = json.loads((folder / "verify" / "results.json").read_text(encoding="utf-8"))
    return {run["id"]: {k: v for k, v in run.items() if k != "seconds"} for run in results["runs"]}


def _sweep() -> str:
    """Two runs, trained and written down."""
    from llr.sweep import run_sweep

    with tempfile.TemporaryDirectory() as folder:
        result = run_sweep(_tiny_sweep(Path(folder)), progress=False)
        _must("the number of runs trained", result.n_trained, 2)
        _must("the number of failures", len(result.failures), 0)
        _must("the number of runs in results.json", len(_runs(Path(folder))), 2)
        _must("results.csv is there", (result.folder / "results.csv").is_file(), True)
    return "2 runs trained, results.json and results.csv written"


def _resume() -> str:
    """A sweep in two parts must give what it gives in one."""
    from llr.sweep import run_sweep

    with tempfile.TemporaryDirectory() as parts, tempfile.TemporaryDirectory() as whole:
        run_sweep(_tiny_sweep(Path(whole), **{"execution.batch_size": 1}), progress=False)
        trained = [
            run_sweep(
                _tiny_sweep(Path(parts), **{"execution.batch_size": 1, "sweep.seeds": seeds}),
                progress=False,
            ).n_trained
            for seeds in (1, 2, 2)
        ]
        _must("the numbers of runs trained by three calls", trained, [1, 1, 0])
        _must("the runs of a resumed sweep", _runs(Path(parts)), _runs(Path(whole)))
    return "a sweep in two parts equals one in one part; a third call trains nothing"


def _theory() -> str:
    """The papers' 7, 15 and 21: from theory, in exact arithmetic, and measured."""
    from llr.data import make_target
    from llr.models import ModelSizes, build_model, scaled_width
    from llr.tangent import model_rank
    from llr.theory import formal_rank, optimistic_sample_size

    target = make_target("paper")
    known: dict[ModelName, int] = {"cnn_shared": 7, "cnn_noshare": 15, "mlp": 21}
    for name, wanted in known.items():
        width = scaled_width(name, 3, input_dim=5)
        model = build_model(name, ModelSizes(input_dim=5, width=width))
        size = optimistic_sample_size(model, target)
        _must(f"the optimistic sample size of {name}", size.value, wanted)
        model.load_state_dict(size.witness)
        _must(f"the exact rank of {name}", formal_rank(model), wanted)
        measured = model_rank(model)
        _must(f"the measured rank of {name}", (measured.rank, measured.verdict), (wanted, "clear"))
    return "optimistic sample sizes 7, 15, 21 = exact ranks = measured ranks"


CHECKS: dict[str, Callable[[], str]] = {
    "versions": _versions,
    "models": _models,
    "targets": _targets,
    "theory": _theory,
    "training": _training,
    "sweep": _sweep,
    "resume": _resume,
}
"""What is checked, in order; each says what it found, or raises."""
