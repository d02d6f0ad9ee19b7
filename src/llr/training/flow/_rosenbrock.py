"""Rosenbrock methods by their coefficients.

One step of size h from theta, with F the vector field and A its Jacobian matrix (exactly for a
Rosenbrock method, approximately for a W-method), solves for i = 1..s

    (1 / (gamma h) - A) U_i = F(theta + sum_{j<i} a_ij U_j) + (1 / h) sum_{j<i} c_ij U_j

and ends at theta + sum_i m_i U_i, with the error estimate sum_i e_i U_i.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["RODAS", "ROS34PW2", "RosenbrockMethod"]


class RosenbrockMethod(NamedTuple):
    """Coefficients gamma, a (s, s), c (s, s), m (s,), e (s,) and the order of the step."""

    order: int
    gamma: float
    a: np.ndarray
    c: np.ndarray
    m: np.ndarray
    e: np.ndarray


def _lower(*rows: tuple[float, ...]) -> np.ndarray:
    """A strictly lower triangular matrix from its rows, the first one empty."""
    matrix = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return matrix


def _transformed(
    order: int, alpha: np.ndarray, gamma: np.ndarray, b: np.ndarray, b_hat: np.ndarray
) -> RosenbrockMethod:
    """A method given by (alpha_ij), (gamma_ij), b and b_hat, free of products with A.

    References:
        Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, Section IV.7, (7.25).
    """
    inverse = np.linalg.inv(gamma)
    return RosenbrockMethod(
        order=order,
        gamma=gamma[0, 0],
        a=np.tril(alpha @ inverse, -1),
        c=-np.tril(inverse, -1),
        m=b @ inverse,
        e=(b - b_hat) @ inverse,
    )


_RODAS_LAST = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)

RODAS = RosenbrockMethod(
    order=4,
    gamma=0.25,
    a=_lower(
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        _RODAS_LAST,
        (*_RODAS_LAST, 1.0),
    ),
    c=_lower(
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
        (
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ),
    ),
    m=np.array([*_RODAS_LAST, 1.0, 1.0]),
    e=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
)
"""RODAS: six stages, order 4(3), L-stable and stiffly accurate.

Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, Section VI.4.
"""

_G = 0.4358665215084590
ROS34PW2 = _transformed(
    order=3,
    alpha=_lower(
        (), (0.8717330430169180,), (0.8445706001536942, -0.1129906423648418), (0.0, 0.0, 1.0)
    ),
    gamma=_G * np.eye(4)
    + _lower(
        (),
        (-0.8717330430169180,),
        (-0.9033805701304408, 0.05418067238809533),
        (0.2421238070609535, -1.223250583904515, 0.5452602553351021),
    ),
    b=np.array([0.2421238070609535, -1.223250583904515, 1.545260255335102, _G]),
    b_hat=np.array([0.3781090314581937, -0.09604229221242318, 0.5, 0.2179332607542295]),
)
"""ROS34PW2: four stages, order 3(2) for any matrix A, L-stable and stiffly accurate.

Rang and Angermann, BIT 45, 2005.
"""
