"""Every rule, and every operation of the tape, broken on purpose is caught.

What catches it is the comparison that each certification makes before it begins: values and
derivatives of the traced program against the model's own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from tests.certify.specimens import SPECIMENS, built, samples, traced

from llr.certify import _residues, _tape
from llr.certify import _scalar_functions as table
from llr.certify._integers import Integers
from llr.certify._modular_matrices import echelon
from llr.certify._program_run import RULES
from llr.certify._residues import Field
from llr.certify._tangent_rows import exact_rows, float_program, float_rows
from llr.certify._tape import Variable
from llr.certify.rules.kink import Indicator
from llr.tangent import as_function, as_samples

WRONG = 1.25
TRIED = 4  # specimens that may catch a mutant, the smallest first


@cache
def own(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, object]:
    """Values, weights and gradient of the model by autograd, and the samples."""
    x = as_samples(samples(name, 2), torch.device("cpu"))
    function = as_function(built(name))
    params = {key: value.clone().requires_grad_() for key, value in function.params.items()}
    out = function(params, x)
    weight = torch.linspace(0.5, 1.5, out.numel(), dtype=torch.float64).reshape(out.shape)
    grads = torch.autograd.grad(
        (out * weight).sum(), list(params.values()), allow_unused=True, materialize_grads=True
    )
    return out.detach(), weight, torch.cat([g.reshape(-1) for g in grads]), x


def agrees(name: str) -> bool:
    """Whether the traced program computes what the model does."""
    out, weight, gradient, x = own(name)
    value, derivative = float_program(traced(name), x)
    size = max(1.0, float(gradient.abs().max()))
    return bool(
        torch.allclose(value, out, rtol=1e-6, atol=1e-9)
        and (derivative(weight) - gradient).abs().max() < 1e-6 * size
    )


@cache
def users(operation: str) -> list[str]:
    """The specimens with the operation, the shortest programs first."""
    found = [name for name in SPECIMENS if operation in traced(name).operations]
    return sorted(found, key=lambda name: len(traced(name).steps))[:TRIED]


def wrong_value(run, out):
    """Values off by a factor and a shift, derivatives as before."""
    if isinstance(out, list):
        return [wrong_value(run, part) for part in out]
    if isinstance(out, Integers):
        return Integers((out.values + 1) % 3)
    if isinstance(out, Indicator):
        return Indicator(run, np.zeros((1, *out.shape), dtype=bool), out.shape)
    if not isinstance(out, Variable):
        return out
    factor, shift = run.constant(WRONG), run.constant(0.5)
    value = out.value * factor.value.reshape(*[1] * len(out.shape))
    value = value + shift.value.reshape(*[1] * len(out.shape))
    return Variable(value, [(out, lambda g: g)], absent=out.absent)


def wrong_derivative(run, out):
    """Derivatives off by a factor, values as before."""
    if isinstance(out, list):
        return [wrong_derivative(run, part) for part in out]
    if not isinstance(out, Variable) or isinstance(out, Indicator):
        return out
    factor = run.constant(WRONG).value.reshape(*[1] * len(out.shape))
    return Variable(out.value, [(out, lambda g: g * factor)], absent=out.absent)


NEVER_READ = {"empty_like", "new_empty"}  # memory that is written before it is read
REFUSED = {"detach"}  # where parameters flow through it; constants never come to the rule


@pytest.mark.parametrize("operation", sorted(set(RULES) - NEVER_READ - REFUSED))
@pytest.mark.parametrize("mutation", [wrong_value, wrong_derivative])
def test_a_broken_rule_is_caught(monkeypatch, operation, mutation):
    rule, wanted = RULES[operation], []

    def broken(run, *args, **kwargs):
        out = rule(run, *args, **kwargs)
        parts = out if isinstance(out, list) else [out]
        wanted.extend(getattr(part, "wanted", False) for part in parts)
        return mutation(run, out)

    monkeypatch.setitem(RULES, operation, broken)
    caught = any(not agrees(name) for name in users(operation))
    assert caught or (mutation is wrong_derivative and not any(wanted))


PRIMITIVES = (
    *("add", "multiply", "negate", "matmul", "move", "collect", "reshape", "apply", "gate"),
    *("total", "softmax"),
)


@pytest.mark.parametrize("operation", PRIMITIVES)
def test_a_broken_adjoint_of_the_tape_is_caught(monkeypatch, operation):
    primitive = getattr(_tape, operation)

    def broken(*args, **kwargs):
        out = primitive(*args, **kwargs)
        out.sources = [(v, lambda g, f=adjoint: f(g) + f(g)) for v, adjoint in out.sources]
        return out

    monkeypatch.setattr(_tape, operation, broken)
    specimens = ["MLP of tanh", "Softmax", "transposed conv1d", "layer norm", "ReLU", "conv1d"]
    assert any(not agrees(name) for name in specimens)


IN_A_NETWORK = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "normal cdf": "GELU",
    "gelu tanh gate": "GELU(tanh)",
    "erf": "erf",
    "sin": "sin",
    "cos": "cos",
    "exp": "exp",
    "relative exp": "Softmax",
    "log": "log",
    "atan": "atan",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "reciprocal": "reciprocal",
}


@pytest.mark.parametrize("name", table.FUNCTIONS)
@pytest.mark.parametrize("part", ["value", "derivative"])
def test_a_broken_function_is_caught(monkeypatch, name, part):
    row = table.FUNCTIONS[name]
    parts = {"value": row.value, "derivative": row.derivative}
    parts[part] = lambda z, f=parts[part]: f(z) + 0.25
    monkeypatch.setitem(table.FUNCTIONS, name, table.ScalarFunction(**parts))
    used = (name, part) not in {("relative exp", "derivative")}  # a softmax has its own adjoint
    assert agrees(IN_A_NETWORK[name]) is not used


@pytest.mark.parametrize("name", table.FUNCTIONS)
def test_a_symbol_that_forgets_its_argument_is_caught(monkeypatch, name):
    """Then the bound from above falls below the rank that is seen."""
    formal = _residues.FORMAL[name]

    def forgetful(field, z):
        constant = tuple(np.ones_like(part) for part in z)
        return formal(field, constant)

    specimen = IN_A_NETWORK[name]
    x = as_samples(samples(specimen, 30), torch.device("cpu"))
    program = traced(specimen)
    matrix = float_rows(program, x).matrix.parts[0]
    values = np.linalg.svd(matrix, compute_uv=False)
    seen = int((values > 1e-9 * values[0]).sum())

    def bound() -> int:
        field = Field.random(1, torch.Generator().manual_seed(0))
        rows = exact_rows(program, x, field, [])
        return echelon(rows.parts[0], field.primes[0]).rank

    assert bound() >= seen
    monkeypatch.setitem(_residues.FORMAL, name, forgetful)
    assert bound() < seen
