r"""Model ranks by linear algebra alone: no samples, no tangent matrix, no tolerance.

Two-layer tanh networks. Write a hidden unit as tanh(z), z = w.x + b, with w padded to the whole
input. Let (w_g, b_g), g = 1..G, be the units with w != 0, one for each class of units that are
equal up to a common sign. Then the functions

    tanh(z_g),  tanh'(z_g),  tanh'(z_g) x_t,  1,  x_t      (g = 1..G, t = 1..d)

are linearly independent. Why: along a generic line x = u + tau v, z_g = alpha_g tau + beta_g, and
the classes with one |alpha_g| have different roots -beta_g / alpha_g. All poles of tanh(z_g) are
at (i pi (k + 1/2) - beta_g) / alpha_g. So the poles nearest the real axis of a class with the
largest |alpha_g| belong to no other class. At such a pole tau_0, tanh' has a double pole and no
simple one, so the double-pole coefficient of D tanh' + sum_t X_t tanh' x_t is proportional to
D + sum_t X_t (u_t + tau_0 v_t). It vanishes for every generic line only if D = X_t = 0, since tau_0
is not real; what is left at tau_0 is the simple pole of tanh. Remove the class and repeat; the
polynomials 1, x_t remain.

Every tangent function is a combination of these functions:

* d/da of a unit in class g is +-tanh(z_g); of a unit with w = 0 it is tanh(b) 1;
* d/db of a kernel is the sum over its units of a tanh'(z_g), or tanh'(b) a 1 where w = 0;
* d/dw_t of a kernel is the sum over its units of a tanh'(z_g) x_(coordinate of t in the window),
  or tanh'(b) a x_(...) where w = 0;
* d/dc is 1.

So the model rank is the rank of the matrix of these coefficients. The transcendental factors drop
out: a column meets one kernel only, hence one bias; where w = 0 the factor tanh'(b) > 0 is common
to the column and is divided away, and tanh(b) matters only through b != 0. What remains are sums
of output weights, dyadic rationals, and their rank is computed exactly.

The other families are polynomial in x and their tangent spaces are read off directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from torch import Tensor, nn

from llr.errors import UnsupportedModuleError
from llr.models import (
    MLP,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    ToyLinear,
    ToyNonlinear,
)
from llr.theory._exact import (
    Floats,
    Integers,
    Residues,
    SparseMatrix,
    exact_array,
    matrix_rank,
    multiply,
    residues,
    sparse_rank,
)
from llr.theory._units import (
    CONSTANT,
    TwoLayerNetwork,
    group_units,
    named_values,
    read_two_layer,
)

__all__ = ["coefficient_matrix", "formal_rank", "linear_layers"]


def formal_rank(model: nn.Module, *, params: Mapping[str, Tensor] | None = None) -> int:
    r"""Exact model rank at a parameter point, by linear algebra alone.

    The model rank r(theta) is the dimension of the span of the tangent functions
    d f(.; theta) / d theta_i, i = 1..M. For every two-layer tanh network the tangent functions
    are known combinations of linearly independent functions, and the rank is that of the matrix
    of coefficients: exact at every point, degenerate ones too. Parameters are taken at their
    exact binary values, so units are equal when they are, and differ when their last bit does.

    Args:
        model: a two-layer tanh network (fully connected or convolutional, with or without weight
            sharing, 1-d or 2-d, any biases), ``nn.Sequential(Linear, Tanh, Linear)``, a linear
            network of any depth, a matrix factorisation, a diagonal network, or one of the toys.
            Parameters with ``requires_grad=False`` are constants.
        params: parameters by name that replace the model's own.

    Returns:
        The model rank.

    Raises:
        UnsupportedModuleError: if the model belongs to no such family.
        InvalidInputError: if a parameter is not finite, or a name or shape in ``params`` is wrong.

    References:
        Zhang et al., JMLR 26(69), 2025, Def. 4 and Cor. 7; Fukumizu, Neural Networks 9(5), 1996.

    Example:
        >>> from llr.models import PaperTeacherMLP
        >>> formal_rank(PaperTeacherMLP(hidden_bias=True))
        21
    """
    network = read_two_layer(model, params)
    if network is not None:
        return sparse_rank(coefficient_matrix(network))
    layers = linear_layers(model)
    if layers is not None:
        return _linear_network_rank(model, params, layers)
    if isinstance(model, MatrixFactorization):
        return _factorization_rank(model, params)
    if isinstance(model, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        return _vector_model_rank(model, params)
    raise UnsupportedModuleError(
        "formal_rank must be given a two-layer tanh network, a linear network, a matrix "
        f"factorisation, a diagonal network or a toy model, got {type(model).__name__}. "
        "No closed form is known for others: use llr.model_rank, which measures."
    )


def coefficient_matrix(network: TwoLayerNetwork) -> SparseMatrix:
    """Coefficients of the tangent functions (columns) in the independent functions (rows)."""
    units, d = network.units, network.input_size
    group, _ = group_units(units)
    n, s = units.weights.shape
    n_groups, n_outputs = int(group.max(initial=CONSTANT)) + 1, units.output.shape[1]
    varies = group != CONSTANT
    one = (2 + d) * n_groups  # rows: tanh(z_g), then tanh'(z_g), then tanh'(z_g) x_t, 1, x_t
    matrix = SparseMatrix()
    for l in range(n_outputs):

        def add(row: Integers, column: Integers, value: Floats, l: int = l) -> None:
            matrix.add(row * n_outputs + l, column, value)

        output = units.output[:, l]
        column = 0
        if "output" in network.trainable:
            seen = varies | (units.bias != 0)
            add(np.where(varies, group, one), column + np.arange(n) * n_outputs + l, 1.0 * seen)
        column += n * n_outputs
        if "kernel_bias" in network.trainable:
            add(np.where(varies, n_groups + group, one), column + units.kernel, output)
        column += n
        if "kernels" in network.trainable:
            first = np.where(varies, 2 * n_groups + group * d, one + 1)[:, None]
            weight = column + units.kernel[:, None] * s + units.slots
            add(first + units.coordinates, weight, output[:, None])
        column += n * s
        if "output_bias" in network.trainable:
            add(np.array([one]), np.array([column + l]), np.ones(1))
    return matrix


def linear_layers(model: nn.Module) -> list[str] | None:
    """Prefixes of the layers of a linear network, first to last, or None for other modules."""
    if type(model) is nn.Linear:
        return [""]
    if type(model) is MLP and (model.activation == "identity" or not model.widths):
        return [f"layers.{l}." for l in range(len(model.layers))]
    if type(model) is nn.Sequential and len(model) and all(type(m) is nn.Linear for m in model):
        return [f"{l}." for l in range(len(model))]
    return None


def _linear_network_rank(
    model: nn.Module, params: Mapping[str, Tensor] | None, layers: list[str]
) -> int:
    """Tangent space of W_L (... (W_1 x + b_1) ...) + b_L: sum over l of U_l (x) V_l.

    U_l is the image of W_L ... W_(l+1); V_l spans the coordinates of layer l's input, and 1 where
    b_l is trainable. The U_l grow with l, so the dimension is
    sum_l (dim U_l - dim U_(l-1)) dim(V_l + ... + V_L).
    """
    values = named_values(model, params)
    trainable = {name for name, value in model.named_parameters() if value.requires_grad}
    exact = {name: residues(exact_array(name, value)) for name, value in values.items()}
    weights = [exact[f"{layer}weight"] for layer in layers]
    d = weights[0].shape[1]
    # Layer inputs as affine functions of x: one row for each coordinate, columns (x, 1).
    inputs = [np.eye(d, d + 1, dtype=np.uint64)]
    for layer, weight in zip(layers, weights, strict=True):
        image = multiply(weight, inputs[-1])
        if f"{layer}bias" in exact:
            bias = exact[f"{layer}bias"]
            image[:, d] = multiply(
                np.stack([image[:, d], bias], axis=1), np.ones((2, 1), dtype=np.uint64)
            )[:, 0]
        inputs.append(image)
    constant = np.zeros((1, d + 1), dtype=np.uint64)
    constant[0, d] = 1
    image: Residues = np.eye(weights[-1].shape[0], dtype=np.uint64)
    seen = np.zeros((0, d + 1), dtype=np.uint64)
    steps: list[tuple[int, int]] = []  # (dim U_l, dim(V_l + ... + V_L)), last layer first
    for l in reversed(range(len(layers))):
        if f"{layers[l]}weight" in trainable:
            seen = np.concatenate([seen, inputs[l]])
        if f"{layers[l]}bias" in trainable:
            seen = np.concatenate([seen, constant])
        steps.append((matrix_rank(image), matrix_rank(seen)))
        image = multiply(image, weights[l])
    steps.append((0, 0))
    return sum((u - below) * v for (u, v), (below, _) in pairwise(steps))


def _factorization_rank(model: MatrixFactorization, params: Mapping[str, Tensor] | None) -> int:
    """d1 rank(B) + d2 rank(A) - rank(A) rank(B), less what is frozen."""
    values = named_values(model, params)
    left = matrix_rank(residues(exact_array("left", values["left"])))
    right = matrix_rank(residues(exact_array("right", values["right"])))
    from_left = model.n_rows * right if model.left.requires_grad else 0
    from_right = model.n_columns * left if model.right.requires_grad else 0
    return from_left + from_right - (left * right if from_left and from_right else 0)


def _vector_model_rank(
    model: DiagonalNetwork | DifferenceOfSquares | ToyLinear | ToyNonlinear,
    params: Mapping[str, Tensor] | None,
) -> int:
    """Number of the functions 1, x_j with a nonzero coefficient in some derivative."""
    theta = exact_array("theta", named_values(model, params)["theta"])
    if not model.theta.requires_grad:
        return 0
    if isinstance(model, DiagonalNetwork):
        return int(((theta == 0).sum(axis=0) <= 1).sum())
    if isinstance(model, DifferenceOfSquares):
        return int((theta != 0).any(axis=0).sum())
    return 3 if isinstance(model, ToyLinear) else 2 + bool(theta[2] or theta[3])
