"""Optimistic sample sizes in models that are linear in x: matrices, linear and diagonal networks.

Ranks of targets are numerical, with the default tolerance of ``torch.linalg.matrix_rank`` for the
target's own dtype: a matrix of rank 1 written in decimals is not of rank 1 to the last bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llr._types import Parameters
from llr.errors import NotExpressibleError, check_positive_int, check_shape
from llr.models import (
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
)
from llr.theory._closed_forms import ClosedForm
from llr.theory._named_parameters import named_values
from llr.theory.linear import (
    AffineMap,
    LinearTarget,
    VectorModel,
    affine_target,
    coefficient_target,
    diagonal_network_size,
    linear_network_size,
    linear_size,
    matrix_factorization_size,
    matrix_target,
    toy_linear_size,
    toy_nonlinear_size,
)
from llr.theory.sizes._sample_size import Published, SampleSize

__all__ = ["factorization_size", "linear_model_size", "numerical_rank", "vector_model_size"]


def factorization_size(model: MatrixFactorization, target: LinearTarget) -> SampleSize:
    """Optimistic sample size rho (d1 + d2 - rho) of a matrix of rank rho."""
    shape = (model.n_rows, model.n_columns)
    if isinstance(target, int):
        check_positive_int("target", target, minimum=0)
        matrix = torch.eye(*shape, dtype=torch.float64)
        matrix[target:] = 0.0
        rank = min(target, *shape)
        if target > min(shape):
            raise NotExpressibleError(
                f"target must be a rank at most {min(shape)} for {shape[0]} x {shape[1]} matrices, "
                f"got {target}."
            )
    else:
        matrix, eps = matrix_target(model, target)
        check_shape("target matrix", matrix.shape, shape)
        rank = numerical_rank(matrix, eps)
    if rank > model.width:
        raise NotExpressibleError(
            f"the model must have width at least {rank}, the target's rank, got {model.width}. "
            f"Build it with width={rank} or more."
        )
    left, right = _balanced_factors(matrix, rank)
    witness = {
        "left": nn.functional.pad(left, (0, model.width - rank)),
        "right": nn.functional.pad(right, (0, 0, 0, model.width - rank)),
    }
    closed_form = matrix_factorization_size(*shape, rank=rank)
    words = f"a {shape[0]} x {shape[1]} matrix of rank {rank}"
    return _exactly(closed_form.value, closed_form, words, model, witness)


def linear_model_size(model: nn.Module, layers: list[str], target: LinearTarget) -> SampleSize:
    """Optimistic sample size of an affine map in a linear network of any depth."""
    values = named_values(model, None)
    weights = [values[f"{layer}weight"] for layer in layers]
    biased = [f"{layer}bias" in values for layer in layers]
    d, c = weights[0].shape[1], weights[-1].shape[0]
    affine = affine_target(model, target, d, c)
    rank = numerical_rank(affine.weight, affine.eps)
    extended = numerical_rank(torch.column_stack([affine.weight, affine.bias]), affine.eps)
    if bool(affine.bias.any()) and not any(biased):
        raise NotExpressibleError(
            "the model must have a bias for a target with a constant part, got none. "
            "Build it with a bias in some layer."
        )
    if len(layers) == 1:
        closed_form = linear_size(d, c, bias=biased[0])
        witness = {f"{layers[0]}weight": affine.weight}
        if biased[0]:
            witness[f"{layers[0]}bias"] = affine.bias
        return _exactly(closed_form.value, closed_form, _words(rank, c, d), model, witness)
    hidden = [weight.shape[0] for weight in weights[:-1]]
    if min(hidden) < rank:
        raise NotExpressibleError(
            f"the model's hidden layers must have width at least {rank}, the rank of the target's "
            f"linear part, got {min(hidden)}."
        )
    closed_form = linear_network_size(d, c, rank=rank, output_bias=biased[-1])
    value, note, source = closed_form.value, "", None
    if not biased[-1] and any(biased):
        # The constant part enters through hidden biases; U_l as in formal_rank.
        source = max(l for l, has_bias in enumerate(biased) if has_bias)
        value, note = _hidden_bias_size(d, c, rank, extended, source)
        if extended > rank and min(hidden[source:]) <= rank:
            raise NotExpressibleError(
                f"the model's hidden layers from layer {source + 1} on must have width at least "
                f"{rank + 1} for a target of rank {rank} whose constant part lies outside its "
                f"image, got {min(hidden[source:])}."
            )
    witness = _linear_witness(values, layers, affine, rank, source, extended > rank)
    return _exactly(value, closed_form, _words(rank, c, d), model, witness, note)


def _hidden_bias_size(d: int, c: int, rank: int, extended: int, source: int) -> tuple[int, str]:
    """Sample size where only hidden layers have biases, the last of them layer ``source`` (from 0).

    With U_l the image of the layers above l and D_l the span of the inputs of layers l..L (and 1,
    where it is trainable), the rank is sum_l (dim U_l - dim U_(l-1)) dim D_l. The map needs
    dim U_1 >= rho and dim D_L >= rank [W b]; D_1 has dimension d + 1; and b lies in the image of
    the layers above the last bias.
    """
    if extended == rank:
        return rank * (d + 1 + c - rank), "a hidden bias counts as one more input: d + 1 for d"
    if source == 0:
        note = "a hidden bias counts as one more input, and raises the rank by one"
        return extended * (d + 1 + c - extended), note
    note = "the constant part lies outside the image and needs a hidden unit of its own"
    return rank * (d + 1) + (c - rank) * (rank + 1), note


def vector_model_size(model: VectorModel, target: LinearTarget) -> SampleSize:
    """Optimistic sample size in the toys and the diagonal networks."""
    toy = isinstance(model, (ToyLinear, ToyNonlinear))
    coefficients = coefficient_target(model, target)
    if not toy and coefficients[0]:
        raise NotExpressibleError(
            "target must have no constant part for a diagonal network, got the constant "
            f"{float(coefficients[0]):g}."
        )
    constant, slopes = float(coefficients[0]), [float(value) for value in coefficients[1:]]
    sparsity = sum(value != 0 for value in coefficients[1:])
    words = f"{sparsity} nonzero coefficient{'s' if sparsity != 1 else ''} of {len(slopes)}"
    if isinstance(model, ToyLinear):
        theta, closed_form = [constant, *slopes], toy_linear_size()
    elif isinstance(model, ToyNonlinear):
        theta = [constant, *slopes, 1.0 if slopes[1] else 0.0]
        closed_form = toy_nonlinear_size(slopes[1])
    elif isinstance(model, DifferenceOfSquares):
        theta = [[max(v, 0.0) ** 0.5 for v in slopes], [max(-v, 0.0) ** 0.5 for v in slopes]]
        closed_form = diagonal_network_size(sparsity)
    else:
        rest = [[1.0 if v else 0.0 for v in slopes] for _ in range(model.depth - 1)]
        theta = [slopes, *rest]
        closed_form = (
            linear_size(len(slopes), bias=False)
            if model.depth == 1
            else diagonal_network_size(sparsity)
        )
    if toy:
        words = "a0 + a1 x1 + a2 x2 with a = " + ", ".join(f"{float(v):g}" for v in coefficients)
    witness = {"theta": torch.tensor(theta, dtype=torch.float64)}
    return _exactly(closed_form.value, closed_form, words, model, witness)


def _exactly(
    value: int,
    printed: ClosedForm,
    words: str,
    model: nn.Module,
    witness: Parameters,
    note: str = "",
) -> SampleSize:
    """A known sample size."""
    theorem = printed.theorem if value == printed.value else "Theorem 1, over all representations"
    return SampleSize(
        lower=value,
        upper=value,
        lower_theorem=theorem,
        upper_theorem=theorem,
        published=Published(printed.value, printed.formula, printed.theorem, note),
        target=words,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        witness=witness,
    )


def _words(rank: int, c: int, d: int) -> str:
    """An affine map in words."""
    return f"an affine map of rank {rank} from R^{d} to R^{c}"


def _balanced_factors(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factors (rows, rank) and (rank, columns) of a matrix of that rank."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * vh[:rank]


def numerical_rank(matrix: Tensor, eps: float) -> int:
    """Rank of a matrix whose entries are known to a relative precision."""
    return int(torch.linalg.matrix_rank(matrix, rtol=max(matrix.shape) * eps))


def _linear_witness(
    values: Parameters,
    layers: list[str],
    affine: AffineMap,
    rank: int,
    source: int | None,
    outside: bool,
) -> Parameters:
    """A linear network of the target's rank in every layer.

    The constant part goes into the bias of layer ``source``, or of the last layer; ``outside``
    says that it lies outside the image and takes a unit of its own.
    """
    witness = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in values.items()}
    left, right = _balanced_factors(affine.weight, rank)
    witness[f"{layers[0]}weight"][:rank] = right
    witness[f"{layers[-1]}weight"][:, :rank] = left
    for layer in layers[1:-1]:
        witness[f"{layer}weight"][:rank, :rank] = torch.eye(rank, dtype=torch.float64)
    if source is None:
        if f"{layers[-1]}bias" in witness:
            witness[f"{layers[-1]}bias"] = affine.bias
    elif outside:
        witness[f"{layers[source]}bias"][rank] = 1.0
        for layer in layers[source + 1 : -1]:
            witness[f"{layer}weight"][rank, rank] = 1.0
        witness[f"{layers[-1]}weight"][:, rank] = affine.bias
    else:
        shift = torch.linalg.lstsq(left, affine.bias[:, None]).solution[:, 0]
        witness[f"{layers[source]}bias"][:rank] = shift
    return witness
