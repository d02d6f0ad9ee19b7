"""The fast way to differentiate is compared with plain autograd and left where the two differ."""

import warnings
from functools import partial

import pytest
import torch
from tests.reference.jacobian import jacobian_by_loops
from tests.tangent.torch_operations import ROLES, SHAPES, Trial, outcome
from torch import nn
from torch.nn import functional as F

import llr
from llr.tangent import TangentOperator, model_rank, tangent_matrix

METHODS = ("dense", "chunked", "sketched")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=source, dtype=torch.float64)


class Distances(nn.Module):
    """Distances to centres that are parameters."""

    def __init__(self, norm: float):
        super().__init__()
        self.centres, self.norm = nn.Parameter(normal(3, 4, seed=1)), norm

    def forward(self, x):
        return torch.cdist(x, self.centres, p=self.norm)


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0, 3.0, torch.inf])
def test_distances_to_centres_have_the_rank_of_the_derivative(norm):
    model, x = Distances(norm), normal(5, 4)
    with pytest.warns(UserWarning, match=r"torch\.functional\.cdist of parameter 'centres'"):
        J = tangent_matrix(model, x)
    wanted = jacobian_by_loops(model, list(x.split(1)), lambda module, sample: module(sample))
    assert torch.allclose(J, wanted, rtol=0, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = model_rank(model, x)
        assert llr.check_llr(model, normal(20, 4)).recoverable
    assert (result.rank, result.verdict) == (int(torch.linalg.matrix_rank(wanted)), "clear")


def slope_network() -> nn.Module:
    """x -> PReLU(x) -> (y, 3 y), whose first layer is frozen at 1."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.PReLU(1), nn.Linear(1, 2, bias=False))
    model.double()[0].weight.requires_grad_(False).fill_(1.0)
    with torch.no_grad():
        model[1].weight.fill_(0.25)
        model[2].weight.copy_(torch.tensor([[1.0], [3.0]]))
    return model


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [2, 5])
def test_a_slope_that_is_learned_counts_once_whatever_the_number_of_samples(method, n):
    x = -torch.arange(1.0, n + 1, dtype=torch.float64)[:, None]  # x < 0: slope times weight
    with pytest.warns(UserWarning, match=r"torch\.nn\.functional\.prelu of PReLU '1'"):
        result = model_rank(slope_network(), x, method=method)
    assert (result.rank, result.verdict) == (2, "clear")


class WrongBatches(torch.autograd.Function):
    """Doubles its input, but not the gradient where a batch is transformed."""

    generate_vmap_rule = False

    @staticmethod
    def forward(x, wrong_from):
        return 2.0 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return 2.0 * grad, None

    @staticmethod
    def vmap(info, in_dims, x, wrong_from):
        factor = 2.0 if info.batch_size < wrong_from else 2.5
        return factor * x, in_dims[0]


class DoublesWrongly(nn.Module):
    def __init__(self, wrong_from: int):
        super().__init__()
        self.layer, self.wrong_from = nn.Linear(3, 2), wrong_from

    def forward(self, x):
        return WrongBatches.apply(torch.tanh(self.layer(x)), self.wrong_from)


@pytest.mark.parametrize("wrong_from", [2, 7])
@pytest.mark.parametrize("chunk_size", [None, 8])
def test_a_rule_that_is_wrong_from_some_batch_size_on_is_found_out(wrong_from, chunk_size):
    model, x = DoublesWrongly(wrong_from).double(), normal(9, 3)
    wanted = jacobian_by_loops(model, list(x.split(1)), lambda module, sample: module(sample))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        J = TangentOperator(model, x, chunk_size=chunk_size)
        dense, pulled, pushed = J.to_dense(), J.T @ normal(18, 8), J @ normal(8, 8)
    assert torch.allclose(dense, wanted, rtol=0, atol=1e-12)
    assert torch.allclose(pulled, wanted.T @ normal(18, 8), rtol=0, atol=1e-12)
    assert torch.allclose(pushed, wanted @ normal(8, 8), rtol=0, atol=1e-12)
    assert len([w for w in caught if "one sample at a time" in str(w.message)]) <= 1
    assert all(w.filename == __file__ for w in caught if "one sample" in str(w.message))


def arguments(*shapes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(normal(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes))


OPERATIONS = {
    "addmm": (torch.addmm, arguments((2, 3), (2, 4), (4, 3))),
    "bilinear": (F.bilinear, arguments((2, 3), (2, 4), (2, 3, 4))),
    "cdist": (torch.cdist, arguments((2, 3), (3, 3))),
    "cholesky": (lambda a: torch.linalg.cholesky(a @ a.mT + torch.eye(3)), arguments((3, 3))),
    "conv transpose": (F.conv_transpose2d, arguments((1, 2, 3, 3), (2, 2, 2, 2))),
    "conv1d": (F.conv1d, arguments((2, 2, 5), (3, 2, 3))),
    "conv2d in groups": (partial(F.conv2d, groups=2), arguments((1, 2, 4, 4), (2, 1, 2, 2))),
    "cosine similarity": (F.cosine_similarity, arguments((3, 3), (3, 3))),
    "cross": (torch.linalg.cross, arguments((2, 3), (2, 3))),
    "cumprod": (partial(torch.cumprod, dim=0), arguments((3, 2))),
    "determinant": (torch.linalg.det, arguments((3, 3))),
    "einsum": (partial(torch.einsum, "ij,jk->ik"), arguments((2, 3), (3, 2))),
    "gather": (lambda a: torch.gather(a, 1, torch.tensor([[0, 2], [1, 1]])), arguments((2, 3))),
    "gelu": (F.gelu, arguments((3, 3))),
    "glu": (F.glu, arguments((3, 4))),
    "grid sample": (
        lambda a, g: F.grid_sample(a, torch.tanh(g), align_corners=False),
        arguments((1, 2, 3, 3), (1, 2, 2, 2)),
    ),
    "group norm": (
        lambda a, w, b: F.group_norm(a, 2, w, b),
        arguments((2, 4, 3), (4,), (4,)),
    ),
    "index put": (
        lambda a, b: a.clone().index_put((torch.tensor([0, 0]),), b, accumulate=True),
        arguments((3, 3), (2, 3)),
    ),
    "inverse": (torch.linalg.inv, arguments((3, 3))),
    "layer norm": (
        lambda a, w, b: F.layer_norm(a, (3,), w, b),
        arguments((3, 3), (3,), (3,)),
    ),
    "log softmax": (partial(F.log_softmax, dim=0), arguments((3, 3))),
    "logcumsumexp": (partial(torch.logcumsumexp, dim=0), arguments((3, 3))),
    "max pooling": (partial(F.max_pool1d, kernel_size=2), arguments((2, 2, 6))),
    "norm": (partial(torch.linalg.norm, dim=1), arguments((3, 3))),
    "pad": (lambda a: F.pad(a, (1, 1), mode="reflect"), arguments((1, 2, 4))),
    "pairwise distance": (F.pairwise_distance, arguments((3, 3), (3, 3))),
    "prelu of one slope": (F.prelu, arguments((3, 3), (1,))),
    "prelu of a slope each": (F.prelu, arguments((2, 3, 3), (3,))),
    "prod": (partial(torch.prod, dim=0), arguments((3, 3))),
    "scatter add": (
        lambda a, b: a.scatter_add(0, torch.tensor([[0, 1, 1]]), b),
        arguments((3, 3), (1, 3)),
    ),
    "scaled dot product attention": (
        F.scaled_dot_product_attention,
        arguments((1, 3, 2), (1, 3, 2), (1, 3, 2)),
    ),
    "solve": (torch.linalg.solve, arguments((3, 3), (3, 2))),
    "softmax": (partial(F.softmax, dim=1), arguments((3, 3))),
    "sort": (lambda a: torch.sort(a, dim=0).values, arguments((3, 3))),
    "triangular solve": (
        lambda a, b: torch.linalg.solve_triangular(a.triu(), b, upper=True),
        arguments((3, 3), (3, 2)),
    ),
    "unfold": (partial(F.unfold, kernel_size=2), arguments((1, 1, 3, 3))),
    "where": (lambda a, b: torch.where(a > b, a, b), arguments((3, 3), (3, 3))),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_has_the_derivative_of_autograd(name):
    call, tensors = OPERATIONS[name]
    trial = Trial(name, call, tensors, {})
    for role in ROLES:
        found = outcome(trial, role, *SHAPES[0])
        assert found in ("equal", "mended") or (role.endswith("data") and len(tensors) == 1)
    for shape in SHAPES[1:]:
        assert outcome(trial, ROLES[0], *shape) in ("equal", "mended")
