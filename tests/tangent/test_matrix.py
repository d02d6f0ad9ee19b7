"""The tangent matrix is the derivative, row by row, for any module, which stays as it was."""

import copy
import warnings

import numpy as np
import pytest
import torch
from tests.reference.jacobian import jacobian_by_differences, jacobian_by_loops
from tests.tangent.zoo import ZOO, built, one_by_one
from torch import nn
from torch.utils.checkpoint import checkpoint

import llr
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.tangent import TangentOperator, tangent_matrix

ROUNDING = 1e-12  # of sums of a few hundred products of order one
SPECIMENS = list(ZOO.values())


def unchanged(before, now):
    """Whether each tensor is as it was."""
    return torch.utils._pytree.tree_map(torch.equal, before, now)


def quietly(specimen, function, *args, **kwargs):
    """Call with the warning that a loop gives, which must come exactly then."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function(*args, **kwargs)
    said = [w for w in caught if "one sample at a time" in str(w.message)]
    assert bool(said) == specimen.loops
    return value


@pytest.mark.parametrize("specimen", SPECIMENS, ids=repr)
@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_every_row_is_the_gradient_of_one_output_at_one_sample(specimen, chunk_size):
    model = built(specimen.name)
    x = specimen.inputs(6, torch.Generator().manual_seed(1))
    J = quietly(specimen, tangent_matrix, model, x, chunk_size=chunk_size)
    reference = jacobian_by_loops(model, one_by_one(x), specimen.call)
    assert J.dtype == torch.float64
    assert J.shape == reference.shape
    assert torch.allclose(J, reference, rtol=0, atol=ROUNDING * float(reference.abs().max()))


def test_the_matrix_agrees_with_finite_differences():
    model = llr.SharedTanhConv1D(5, width=2, kernel_size=3, output_bias=True)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()

    def outputs(values: np.ndarray) -> np.ndarray:
        other = copy.deepcopy(model)
        torch.nn.utils.vector_to_parameters(torch.from_numpy(values), other.parameters())
        return other(x).detach().numpy().ravel()

    J = tangent_matrix(model, x).numpy()
    assert np.abs(J - jacobian_by_differences(outputs, theta)).max() < 1e-8


@pytest.mark.parametrize("specimen", SPECIMENS, ids=repr)
def test_the_callers_module_and_inputs_stay_as_they_are(specimen):
    model = built(specimen.name, torch.float32)
    model.train(model.training)
    x = specimen.inputs(3, torch.Generator().manual_seed(1))
    before = copy.deepcopy((model.state_dict(), x))
    grads = [(p.requires_grad, p.dtype, p._version, id(p)) for p in model.parameters()]
    modes = [part.training for part in model.modules()]
    random_state = torch.get_rng_state()
    quietly(specimen, tangent_matrix, model, x)
    assert [(p.requires_grad, p.dtype, p._version, id(p)) for p in model.parameters()] == grads
    assert [part.training for part in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert torch.utils._pytree.tree_all(lambda same: same, unchanged(before[1], x))


def test_a_float32_model_gives_the_derivative_at_its_parameters_in_float64():
    model = llr.TwoLayerTanhMLP(5, width=4, dtype=torch.float32)
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(tangent_matrix(model, x), tangent_matrix(copy.deepcopy(model).double(), x))


def test_columns_follow_named_parameters_and_rows_sample_then_output():
    model = nn.Linear(2, 3)
    J = tangent_matrix(model, torch.tensor([[5.0, 7.0], [11.0, 13.0]]))
    assert J.shape == (6, 9)
    assert J[4].tolist() == [0, 0, 11, 13, 0, 0, 0, 1, 0]  # sample 1, output 1


def test_a_function_of_parameters_and_input_needs_its_parameters():
    def line(params, x):
        return x @ params["slope"] + params["offset"]

    params = {"slope": torch.randn(3, 2), "offset": torch.randn(2)}
    x = torch.randn(4, 3)
    module = nn.Linear(3, 2).double()
    module.load_state_dict({"weight": params["slope"].T, "bias": params["offset"]})
    J, K = tangent_matrix(line, x, params=params), tangent_matrix(module, x)
    order = torch.arange(6).reshape(2, 3).T.flatten().tolist()
    assert torch.equal(J, K[:, [*order, 6, 7]])
    with pytest.raises(InvalidInputError, match="pass params="):
        tangent_matrix(line, x)
    with pytest.raises(InvalidInputError, match=r"params\['offset'\] must be a real"):
        tangent_matrix(line, x, params={**params, "offset": torch.ones(2, dtype=torch.int64)})


def test_params_take_the_place_of_the_modules_own():
    model, other = llr.TwoLayerTanhMLP(3, width=2), llr.TwoLayerTanhMLP(3, width=2)
    x = torch.randn(5, 3)
    there = tangent_matrix(model, x, params=other.state_dict())
    assert torch.equal(there, tangent_matrix(other, x))
    weight = {"hidden.weight": other.hidden.weight}
    mixed = copy.deepcopy(model)
    mixed.hidden.weight.data.copy_(other.hidden.weight.data)
    assert torch.equal(tangent_matrix(model, x, params=weight), tangent_matrix(mixed, x))
    with pytest.raises(InvalidInputError, match=r"hiden.weight.*Did you mean 'hidden.weight'"):
        tangent_matrix(model, x, params={"hiden.weight": other.hidden.weight})
    with pytest.raises(InvalidInputError, match=r"must have shape \(2, 3\), got \(3, 2\)"):
        tangent_matrix(model, x, params={"hidden.weight": other.hidden.weight.T})


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x) + torch.randn_like(self.layer(x))


class Centred(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x - x.mean(0))


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.layer(x)


class Single(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x).float()


class Scalar(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x).sum()


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.matrix = torch.eye(2)

    def forward(self, x):
        return self.layer(x) @ self.matrix


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return checkpoint(torch.tanh, self.layer(x), use_reentrant=False)


class OneWay(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()


class Opaque(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return OneWay.apply(self.layer(x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)),
            r"BatchNorm1d '1' is in train mode.*Call model.1.eval\(\) first",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)).eval(),
            "BatchNorm1d '1' has no running statistics",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)),
            r"Dropout '1' drops units with probability 0.5.*model.1.eval\(\)",
        ),
        (nn.MultiheadAttention(4, 2, dropout=0.1), "MultiheadAttention drops units"),
        (nn.LSTM(3, 4, num_layers=2, dropout=0.2), r"LSTM drops units with probability 0.2"),
        (nn.Sequential(nn.LazyLinear(4)), "LazyLinear '0' has not yet initialised 'weight'"),
        (nn.DataParallel(nn.Linear(3, 4)), "Pass the module as it was before it was wrapped"),
        (Checkpointed(), r"torch.utils.checkpoint. Switch that off"),
        (Opaque(), r"by torch.func or by plain autograd, but both fail: .*; .*backward"),
        (Noisy(), "draws random numbers in its forward"),
        (Centred(), "mixes the samples of a batch"),
        (Counting(), "changes the buffer 'calls'"),
        (Single(), r"got torch.float32.*Remove casts"),
        (Scalar(), "one output for each of the 1 samples"),
        (Constant(), "register_buffer"),
        (nn.LSTM(3, 4), r"or dictionary of tensors, got \(Tensor, \(Tensor, Tensor\)\)\. Wrap it"),
    ],
)
def test_what_is_no_function_of_one_sample_is_refused_with_the_fix(model, message):
    with pytest.raises((UnsupportedModuleError, InvalidInputError), match=message):
        tangent_matrix(model, torch.randn(4, 3))


def test_dropout_of_probability_zero_and_eval_mode_are_fine():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.0), nn.BatchNorm1d(4).eval())
    assert tangent_matrix(model, torch.randn(2, 3)).shape == (8, 24)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)).eval()
    assert torch.equal(tangent_matrix(model, x := torch.randn(2, 3)), tangent_matrix(model[0], x))


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (nn.Linear(3, 2), torch.randn(4, 5), r"samples as they are in x, of shape \(n, 5\)"),
        (nn.Linear(3, 2), torch.empty(0, 3), "at least one sample"),
        (nn.Linear(3, 2), torch.tensor(1.0), "at least one sample"),
        (nn.Linear(3, 2), "data", "must be a tensor, a dictionary"),
        (nn.Linear(3, 2), torch.full((2, 3), torch.nan), "x must be finite"),
        (nn.Linear(3, 2), torch.ones(2, 3, dtype=torch.complex64), "x must be real"),
        (nn.Linear(3, 2), (torch.ones(2, 3), torch.ones(3)), r"the lengths \[2, 3\]"),
        ("model", torch.ones(2, 3), r"an nn.Module or a function \(params, x\) -> y, got str"),
        (llr.PaperTeacherMLP, torch.ones(2, 5), r"make an instance, PaperTeacherMLP\(\.\.\.\)\."),
        (nn.Linear(3, 2).requires_grad_(False), torch.ones(2, 3), "at least one parameter with"),
    ],
)
def test_wrong_input_is_told_what_must_hold(model, x, message):
    with pytest.raises(InvalidInputError, match=message):
        tangent_matrix(model, x)


def test_integers_are_floats_to_a_model_that_takes_only_floats():
    x = torch.arange(12).reshape(4, 3)
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    assert torch.equal(tangent_matrix(model, x), tangent_matrix(model, x.double()))
    params = {"w": torch.ones(3, 1)}
    numbers = {"params": params, "x": np.arange(12).reshape(4, 3)}
    assert torch.equal(tangent_matrix(lambda p, x: x @ p["w"], **numbers), x.double())


def test_tokens_stay_integers():
    tokens = torch.arange(12).reshape(4, 3)
    model = nn.Sequential(nn.Embedding(12, 2), nn.Flatten(), nn.Linear(6, 1))
    assert TangentOperator(model, tokens).samples.dtype == torch.int64
    assert tangent_matrix(model, tokens).shape == (4, 31)


def test_integers_that_fail_as_floats_too_are_named():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.word, self.number = nn.Embedding(5, 2), nn.Linear(3, 2)

        def forward(self, token, value):
            return self.word(token) + self.number(value)

    x = {"token": torch.tensor([0, 1]), "value": torch.ones(2, 3, dtype=torch.int64)}
    with pytest.raises(InvalidInputError, match="x holds int64: convert to float64 what is no tok"):
        tangent_matrix(Mixed(), x)
    assert tangent_matrix(Mixed(), {**x, "value": x["value"].double()}).shape == (4, 18)


def test_infinite_parameters_are_named():
    model = nn.Linear(3, 2)
    model.bias.data[0] = torch.inf
    with pytest.raises(InvalidInputError, match="parameter 'bias' must be finite"):
        tangent_matrix(model, torch.randn(2, 3))


def test_numpy_inputs_are_taken():
    x = np.random.default_rng(0).normal(size=(4, 3))
    model = nn.Linear(3, 2)
    assert torch.equal(tangent_matrix(model, x), tangent_matrix(model, torch.from_numpy(x)))


def test_the_memory_note_counts_what_a_sample_keeps():
    model = nn.Sequential(nn.Linear(3, 500), nn.Tanh(), nn.Linear(500, 1))
    assert 8 * 500 <= TangentOperator(model, torch.ones(2, 3)).sample_bytes <= 8 * 5000
