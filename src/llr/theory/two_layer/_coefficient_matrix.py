r"""The tangent functions of a two-layer tanh network in independent functions.

Write a hidden unit as tanh(z), z = w.x + b, with w padded to the whole
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
"""

from __future__ import annotations

import numpy as np

from llr.theory.arithmetic import Floats, Integers, PrimeField, SparseMatrix
from llr.theory.two_layer._hidden_units import TwoLayerNetwork
from llr.theory.two_layer._unit_groups import CONSTANT, group_units

__all__ = ["coefficient_matrix"]


def coefficient_matrix(network: TwoLayerNetwork, field: PrimeField) -> SparseMatrix:
    """Coefficients, modulo p, of the tangent functions (columns) in the independent ones (rows)."""
    units, d = network.units, network.input_size
    group, _ = group_units(units)
    n, s = units.weights.shape
    n_groups, n_outputs = int(group.max(initial=CONSTANT)) + 1, units.output.shape[1]
    varies = group != CONSTANT
    one = (2 + d) * n_groups  # rows: tanh(z_g), then tanh'(z_g), then tanh'(z_g) x_t, 1, x_t
    matrix = SparseMatrix(field)
    for l in range(n_outputs):

        def add(row: Integers, column: Integers, value: Floats, l: int = l) -> None:
            matrix.add(row * n_outputs + l, column, field.residues(value))

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
