"""The operator multiplies as the matrix does, in chunks of any size."""

import warnings

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import aslinearoperator, svds
from tests.tangent.zoo import ZOO, built

import llr
from llr.errors import InvalidInputError
from llr.tangent import TangentOperator, tangent_matrix

ROUNDING = 1e-12


def operator_and_matrix(name: str, n: int = 7, **options):
    model, x = built(name), ZOO[name].inputs(n, torch.Generator().manual_seed(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the loop's warning is tested with the matrix
        return TangentOperator(model, x, **options), tangent_matrix(model, x)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=ROUNDING * float(b.abs().max()))


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_products_with_vectors_and_matrices_are_those_of_the_matrix(name, chunk_size):
    J, dense = operator_and_matrix(name, chunk_size=chunk_size)
    assert (J.shape, J.dtype, J.device) == (dense.shape, torch.float64, dense.device)
    source = torch.Generator().manual_seed(3)
    v = torch.randn(J.shape[1], 5, generator=source, dtype=torch.float64)
    u = torch.randn(J.shape[0], 5, generator=source, dtype=torch.float64)
    assert close(J @ v, dense @ v)
    assert close(J @ v[:, 0], dense @ v[:, 0])
    assert close(J.T @ u, dense.T @ u)
    assert close(J.T @ u[:, 0], dense.T @ u[:, 0])
    assert close(torch.cat(list(J.row_blocks())), dense)
    assert close(J.to_dense(), dense)


def test_the_transpose_is_an_operator_too():
    J, dense = operator_and_matrix("fully connected")
    assert J.T.shape == dense.T.shape
    assert J.T.dtype == torch.float64
    assert J.T.device == J.device
    assert J.T.T is J
    assert "14 x 54" in repr(J)
    assert repr(J.T).endswith(".T")


@pytest.mark.parametrize("name", ["fully connected", "convolutions"])
def test_scipy_works_on_it(name):
    J, dense = operator_and_matrix(name)
    scipy_operator = aslinearoperator(J.to_scipy())
    generator = np.random.default_rng(0)
    v, u = generator.normal(size=J.shape[1]), generator.normal(size=(J.shape[0], 3))
    assert np.allclose(scipy_operator @ v, dense.numpy() @ v, rtol=0, atol=1e-11)
    assert np.allclose(scipy_operator.T @ u, dense.numpy().T @ u, rtol=0, atol=1e-11)
    assert np.allclose(J.T.to_scipy() @ u, dense.numpy().T @ u, rtol=0, atol=1e-11)
    largest = svds(scipy_operator, k=3, return_singular_vectors=False, random_state=0)
    assert np.allclose(np.sort(largest)[::-1], torch.linalg.svdvals(dense)[:3], rtol=1e-9)


def test_products_use_forward_mode_only_where_it_means_the_derivative():
    uses = {}
    for name in ("fully connected", "attention", "use without gradient"):
        J, _ = operator_and_matrix(name)
        J @ torch.ones(J.shape[1])
        uses[name] = J.linearization.uses_forward_mode
    # Attention has no forward mode; forward mode passes through detach, where backward stops.
    assert uses == {"fully connected": True, "attention": False, "use without gradient": False}


def test_factors_of_a_wrong_shape_are_refused():
    J, _ = operator_and_matrix("fully connected")
    with pytest.raises(InvalidInputError, match=r"of shape \(54,\) or \(54, k\), got \(14,\)"):
        J @ torch.ones(14)
    with pytest.raises(InvalidInputError, match=r"of shape \(14,\) or \(14, k\), got list"):
        J.T @ [1.0]
    with pytest.raises(InvalidInputError, match="chunk_size must be an integer >= 1, got 0"):
        TangentOperator(llr.ToyLinear(), torch.ones(1, 2), chunk_size=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_numbers_are_the_same():
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    there = tangent_matrix(built("fully connected").cuda(), x)
    assert there.is_cuda
    assert close(there.cpu(), tangent_matrix(built("fully connected"), x))
