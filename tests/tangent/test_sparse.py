"""Sparse tensors: in inputs, constants and gradients as dense ones; otherwise refused."""

import warnings

import pytest
import torch
from torch import nn

from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.tangent import TangentOperator, model_rank, tangent_matrix

METHODS = ("dense", "chunked", "sketched")
LAYOUTS = (torch.sparse_coo, torch.sparse_csr)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=source, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _loops_are_expected():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        warnings.filterwarnings("ignore", message="The model is differentiated one sample at a tim")
        yield


class Graph(nn.Module):
    """A layer followed by a fixed graph's adjacency matrix."""

    def __init__(self, layout: torch.layout):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        adjacency = (normal(4, 4, seed=5) > 0).double()
        dense = layout == torch.strided
        self.register_buffer(
            "adjacency", adjacency if dense else adjacency.to_sparse(layout=layout)
        )

    def forward(self, x):
        return torch.stack([self.adjacency @ self.layer(nodes) for nodes in x])


def graph(layout: torch.layout) -> nn.Module:
    model = Graph(layout).double()
    with torch.no_grad():
        model.layer.weight.copy_(normal(2, 3, seed=1))
        model.layer.bias.copy_(normal(2, seed=2))
    return model


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", METHODS)
def test_sparse_constants_give_the_matrix_of_dense_ones(layout, method):
    x = normal(5, 4, 3)
    wanted = model_rank(graph(torch.strided), x, method=method)
    assert torch.equal(tangent_matrix(graph(layout), x), tangent_matrix(graph(torch.strided), x))
    found = model_rank(graph(layout), x, method=method)
    assert (found.rank, found.verdict) == (wanted.rank, wanted.verdict) == (8, "clear")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_inputs_are_made_dense(layout):
    x = normal(5, 4)
    J = tangent_matrix(nn.Linear(4, 2), x.to_sparse(layout=layout))
    assert torch.equal(J, tangent_matrix(nn.Linear(4, 2), x))


@pytest.mark.parametrize("method", METHODS)
def test_embeddings_with_sparse_gradients_have_those_of_dense_ones(method):
    tokens = torch.tensor([[0, 1], [2, 3], [4, 5], [0, 0], [1, 2], [3, 5], [4, 2]])
    J = {}
    for sparse in (False, True):
        table = nn.Embedding(6, 2, sparse=sparse)
        bag = nn.EmbeddingBag(6, 2, sparse=sparse, mode="sum")
        with torch.no_grad():
            table.weight.copy_(normal(6, 2))
            bag.weight.copy_(normal(6, 2))
        J[sparse] = tangent_matrix(table, tokens), tangent_matrix(bag, tokens)
        assert model_rank(table, tokens, method=method).rank == 12
    assert all(torch.equal(a, b) for a, b in zip(*J.values(), strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_parameters_and_outputs_are_refused_with_what_to_do(layout):
    model = nn.Module()
    model.weight = nn.Parameter(normal(2, 4).to_sparse(layout=layout))
    with pytest.raises(InvalidInputError, match=r"'weight' is sparse_.*p\.to_dense\(\)"):
        TangentOperator(model, normal(5, 4))
    with pytest.raises(UnsupportedModuleError, match=r"dense tensors.*Return y\.to_dense\(\)"):
        tangent_matrix(
            lambda params, x: (x @ params["w"]).to_sparse(layout=layout),
            normal(5, 4),
            params={"w": normal(4, 2)},
        )
