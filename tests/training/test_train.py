"""The entry to training: engines by name, statuses, histories, inputs that cannot be trained."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from tests.reference.training import plain_dropout_mask
from tests.training.runs import UserModule, draw_data, draw_model, draw_problem
from torch import nn

from llr.errors import InvalidInputError
from llr.models import TwoLayerTanhMLP
from llr.training import (
    ENGINES,
    Adam,
    GradientDescent,
    GradientFlow,
    Problem,
    RunResult,
    log_spaced,
    train,
    train_batch,
)
from llr.training._dropout_mask import dropout_mask

DESCENT_ENGINES = [name for name in ENGINES if name != "flow"]
SHORT = GradientDescent(lr=0.05, max_steps=200, tol=0.0)

every_engine = pytest.mark.parametrize("engine", DESCENT_ENGINES)


def assert_equal(a: RunResult, b: RunResult, *, rtol: float) -> None:
    assert (a.status, a.steps, a.message) == (b.status, b.steps, b.message)
    for name in ("at", "train_mse", "test_mse"):
        np.testing.assert_allclose(getattr(a.history, name), getattr(b.history, name), rtol=rtol)
    for name, value in a.params.items():
        torch.testing.assert_close(value, b.params[name], rtol=rtol, atol=0)


@every_engine
def test_a_result_does_not_depend_on_the_runs_beside_it(engine):
    together = draw_problem("shared", samples=(3, 9, 1, 20, 6))
    results = train_batch(together, SHORT, engine=engine)
    rtol = 0.0 if engine == "compiled" else 1e-12
    for run in range(5):
        (alone,) = train_batch(together.select([run]), SHORT, engine=engine)
        assert_equal(alone, results[run], rtol=rtol)
    backwards = train_batch(together.select([4, 3, 2, 1, 0]), SHORT, engine=engine)
    for a, b in zip(backwards, reversed(results), strict=True):
        assert_equal(a, b, rtol=rtol)


@every_engine
def test_the_content_of_the_padding_does_not_matter(engine):
    problem = draw_problem("mlp")
    x, y = problem.x_train.clone(), problem.y_train.clone()
    for run, n in enumerate(problem.n_train.tolist()):
        x[run, n:], y[run, n:] = torch.nan, torch.inf
    with_junk = dataclasses.replace(problem, x_train=x, y_train=y)
    for a, b in zip(
        train_batch(problem, SHORT, engine=engine),
        train_batch(with_junk, SHORT, engine=engine),
        strict=True,
    ):
        assert_equal(a, b, rtol=0.0)


def test_the_number_of_threads_does_not_matter():
    problem = draw_problem("unshared", samples=(4, 12, 7))
    one, three = (train_batch(problem, SHORT, threads=threads) for threads in (1, 3))
    for a, b in zip(one, three, strict=True):
        assert_equal(a, b, rtol=0.0)


def mixed_fates() -> Problem:
    """Four runs: already there, diverging, not a number, ordinary."""
    problem = draw_problem("mlp", samples=(6, 6, 6, 6))
    with torch.no_grad():
        there = torch.func.functional_call(
            problem.model, {k: v[0] for k, v in problem.params.items()}, problem.x_train[0]
        )
    x, y = problem.x_train.clone(), problem.y_train.clone()
    y[0] = there
    x[1] *= 100
    x[2, 3, 0] = torch.nan
    params = {name: value.clone() for name, value in problem.params.items()}
    params["output.weight"][1] *= 1e3
    return dataclasses.replace(problem, params=params, x_train=x, y_train=y)


@every_engine
def test_each_run_ends_with_its_own_status(engine):
    optimizer = GradientDescent(lr=0.5, max_steps=100, tol=1e-12, divergence_bound=1e9)
    there, away, nan, ordinary = train_batch(mixed_fates(), optimizer, engine=engine)

    assert (there.status, there.steps) == ("converged", 0)
    assert there.history.at.tolist() == [0]
    assert "at or below tol = 1e-12" in there.message

    assert away.status == "diverged"
    assert 0 < away.steps < 100
    assert away.train_mse > 1e9
    assert away.history.at[-1] == away.steps
    assert away.history.train_mse[-1] == away.train_mse
    assert max(away.history.train_mse[:-1]) <= 1e9
    assert "Use a smaller lr" in away.message

    assert (nan.status, nan.steps) == ("diverged", 0)
    assert math.isnan(nan.train_mse)
    assert math.isfinite(nan.test_mse)
    assert "not finite" in nan.message
    initial = mixed_fates().params
    for name, value in nan.params.items():
        assert torch.equal(value, initial[name][2])

    assert (ordinary.status, ordinary.steps) == ("max_steps", 100)
    assert ordinary.history.at.tolist() == log_spaced(100).tolist()
    assert ordinary.time == pytest.approx(50.0)
    assert json.loads(nan.to_json())["train_mse"] is None


@every_engine
def test_a_run_that_converges_early_ends_exactly_there(engine):
    problem = draw_problem("mlp", samples=(2, 3, 4, 30))
    free = train_batch(problem, dataclasses.replace(SHORT, max_steps=400), engine=engine)
    tol = free[0].history.train_mse[-8] * 1.5
    results = train_batch(
        problem, dataclasses.replace(SHORT, max_steps=400, tol=tol), engine=engine
    )
    assert results[0].status == "converged"
    assert results[3].status == "max_steps"
    for result in results:
        (before,) = train_batch(
            problem.select([results.index(result)]),
            dataclasses.replace(SHORT, max_steps=max(0, result.steps - 1)),
            engine=engine,
        )
        assert (result.train_mse <= tol) == (result.status == "converged")
        assert before.train_mse > tol


@every_engine
def test_no_steps_at_all_measure_the_start(engine):
    problem = draw_problem("shared")
    optimizer = dataclasses.replace(SHORT, max_steps=0)
    for run, result in enumerate(train_batch(problem, optimizer, engine=engine)):
        assert (result.status, result.steps, len(result.history.at)) == ("max_steps", 0, 1)
        for name, value in result.params.items():
            assert torch.equal(value, problem.params[name][run])


def test_training_leaves_the_module_as_it_was():
    model = UserModule(torch.Generator().manual_seed(0))
    model.inner.weight.grad = torch.ones(3, 3, dtype=torch.float64)
    x, y = draw_data(model, 6, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = train(model, x, y, optimizer=SHORT)
    assert {k: v.tolist() for k, v in model.state_dict().items()} == {
        k: v.tolist() for k, v in before.items()
    }
    assert torch.equal(model.inner.weight.grad, torch.ones(3, 3, dtype=torch.float64))
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True, True]
    assert torch.equal(result.params["scale"], model.scale)  # requires_grad=False: not trained
    assert not torch.equal(result.params["head.weight"], model.head.weight)
    model.load_state_dict({**before, **result.params})


@every_engine
def test_a_frozen_layer_of_a_two_layer_net_stays(engine):
    model = draw_model("mlp", 0)
    model.hidden.weight.requires_grad_(False)
    x, y = draw_data(model, 6, 0)
    if engine == "compiled":
        with pytest.raises(InvalidInputError, match="requires_grad=False"):
            train(model, x, y, optimizer=SHORT, engine="compiled")
        engine = "auto"
    result = train(model, x, y, optimizer=SHORT, engine=engine)
    assert result.engine == "torch"
    assert torch.equal(result.params["hidden.weight"], model.hidden.weight)
    assert result.train_mse < result.history.train_mse[0]


@every_engine
def test_float32_trains_in_float32(engine):
    model = TwoLayerTanhMLP(5, width=4, dtype=torch.float32, generator=torch.Generator())
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    result = train(model, x, x[:, :1].sin(), optimizer=Adam(max_steps=50), engine=engine)
    assert result.engine == engine
    assert result.params["hidden.weight"].dtype == torch.float32


def test_half_precision_trains_by_torch():
    model = TwoLayerTanhMLP(5, width=4, dtype=torch.bfloat16, generator=torch.Generator())
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert train(model, x, x[:, :1], optimizer=Adam(max_steps=3)).engine == "torch"
    with pytest.raises(InvalidInputError, match=r"float64 or float32 on the CPU.*engine='torch'"):
        train(model, x, x[:, :1], optimizer=SHORT, engine="compiled")


@pytest.mark.parametrize(
    ("engine", "model", "optimizer", "sentence"),
    [
        ("compiled", nn.Bilinear(2, 2, 1, dtype=torch.float64), SHORT, "Bilinear is not one"),
        ("compiled", draw_model("mlp", 0), Adam(eps=0.0), "eps > 0"),
        ("torch", draw_model("user", 0), Adam(dropout=0.1), "hidden units of chains of"),
        ("torch", nn.Sequential(nn.Linear(5, 1), nn.BatchNorm1d(1)).double(), SHORT, "Layers 1"),
        ("auto", draw_model("user", 0), Adam(dropout=0.1), "Set dropout to 0"),
        ("compield", draw_model("mlp", 0), SHORT, "Did you mean 'compiled'"),
    ],
)
def test_an_impossible_choice_is_refused_with_its_reason(engine, model, optimizer, sentence):
    size = next((m.in_features for m in model.modules() if isinstance(m, nn.Linear)), 2)
    x = torch.ones(4, size, dtype=torch.float64)
    y = torch.ones(4, 2 if sentence.startswith(("hidden", "Set")) else 1, dtype=torch.float64)
    with pytest.raises(InvalidInputError, match=sentence):
        train(model, x, y, optimizer=optimizer, engine=engine)


def test_a_module_with_dropout_of_its_own_trains_in_eval_mode():
    model = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 1)).double()
    x = torch.ones(4, 5, dtype=torch.float64)
    with pytest.raises(InvalidInputError, match=r"Layers 2 .* Call model\.eval\(\)"):
        train(model, x, x[:, :1], optimizer=SHORT)
    for engine in ("auto", "torch"):
        train(model.eval(), x, x[:, :1], optimizer=SHORT, engine=engine)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"y": torch.ones(3, 1).double()}, r"y must have shape \(4, c\), got \(3, 1\)"),
        ({"y": torch.ones(4, 1, 1).double()}, r"y must have shape \(4, c\)"),
        ({"x": [[1.0]]}, "x must be a tensor or a NumPy array, got list"),
        ({"model": "mlp"}, "model must be an nn.Module, got str"),
        ({"optimizer": "sgd"}, r"optimizer must be an instance of llr's own.*got 'sgd'"),
        ({"optimizer": GradientFlow}, "got GradientFlow"),
        ({"optimizer": torch.optim.SGD([torch.ones(1)])}, "got SGD"),
        ({"x": torch.ones(4, 5)}, r"one floating dtype.*x\.to\(dtype\)"),
        ({"x": torch.ones(0, 5).double()}, "at least one sample"),
        ({"x_test": torch.ones(4, 5).double()}, "given together"),
        ({"threads": 0}, "threads must be an integer >= 1"),
        ({"model": nn.Tanh()}, "must have parameters to train, Tanh has none"),
    ],
)
def test_wrong_inputs_are_refused(change, sentence):
    x = torch.ones(4, 5, dtype=torch.float64)
    given = {"model": draw_model("mlp", 0), "x": x, "y": x[:, :1], "optimizer": SHORT} | change
    with pytest.raises(InvalidInputError, match=sentence):
        train(given.pop("model"), given.pop("x"), given.pop("y"), **given)


def test_a_result_shows_as_a_table_in_a_notebook():
    model = draw_model("mlp", 0)
    x, y = draw_data(model, 6, 0)
    result = dataclasses.replace(train(model, x, y, optimizer=SHORT), message="<b>")
    page = result._repr_html_()
    assert f"{result.train_mse:.3g}" in page
    assert "&lt;b&gt;" in page


def test_arrays_and_flat_outputs_train_as_their_tensors_do():
    model = draw_model("mlp", 0)
    x, y = draw_data(model, 6, 0)
    by_tensor = train(model, x, y, optimizer=SHORT, x_test=x, y_test=y)
    flat = y[:, 0].numpy()
    by_array = train(model, x.numpy(), flat, optimizer=SHORT, x_test=x.numpy(), y_test=flat)
    assert by_array.summary() | {"seconds": 0} == by_tensor.summary() | {"seconds": 0}


@pytest.mark.parametrize("seed", [0, 7, -3, 2**62])
@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_the_dropout_mask_is_the_hash_it_says(seed, dropout):
    mask = dropout_mask(torch.tensor([seed]), 41, n_samples=30, n_units=50, dropout=dropout)
    assert torch.equal(mask[0], plain_dropout_mask(seed, 41, (30, 50), dropout))
    # 1500 independent units: five standard deviations, failure probability 6e-7
    assert abs((mask > 0).double().mean().item() - (1 - dropout)) < 5 * (dropout / 1500) ** 0.5


def test_dropout_masks_differ_between_steps_seeds_samples_and_units():
    masks = torch.stack(
        [dropout_mask(torch.arange(3), t, n_samples=4, n_units=64, dropout=0.5) for t in range(3)]
    )
    rows = masks.reshape(-1, 64)
    assert len({tuple(row) for row in rows.tolist()}) == len(rows)
    assert len({tuple(row) for row in rows.T.tolist()}) == 64


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["mlp", "shared", "unshared 2-d", "deep mlp"])
@pytest.mark.parametrize("optimizer", [GradientDescent(max_steps=1000), Adam(max_steps=1000)])
def test_gpu_and_cpu_agree(model, optimizer):
    problem = draw_problem(model, samples=(4, 9, 30))
    on_cpu = train_batch(problem, optimizer, engine="torch")
    on_gpu = train_batch(problem.to("cuda"), optimizer)
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert (a.status, a.steps, b.engine) == (b.status, b.steps, "torch")
        np.testing.assert_allclose(b.history.train_mse, a.history.train_mse, rtol=1e-6)
        for name, value in a.params.items():
            assert (b.params[name] - value).norm() <= 1e-6 * value.norm()
