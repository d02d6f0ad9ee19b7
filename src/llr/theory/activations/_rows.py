"""What exact ranks need to know of an activation: its symmetry, atoms, knots and constants.

Every tangent function of a two-layer network is a combination of functions ATOM x MONOMIAL that are
linearly independent. A row says which atoms an activation has; docs/theory proves that they are
independent, one page per family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from llr.theory.arithmetic import Floats

__all__ = [
    "ActivationRow",
    "Exponential",
    "ExponentialLinear",
    "Gaussian",
    "Kind",
    "Knot",
    "Piecewise",
    "Smooth",
    "Symmetry",
    "Wave",
]

Zeros: TypeAlias = Callable[[Floats], Floats]
"""Elementwise: a number that is zero exactly where the value (or slope) at a rational is zero."""


@dataclass(frozen=True)
class Symmetry:
    """sigma(-z) = sign sigma(z) + constant + slope z.

    Attributes:
        sign: 1 or -1.
        constant: a rational number.
        slope: a rational number.
    """

    sign: int
    constant: Fraction = Fraction(0)
    slope: Fraction = Fraction(0)


@dataclass(frozen=True)
class Smooth:
    """Atoms sigma(z_g) and sigma'(z_g), for units equal up to the symmetry.

    Attributes:
        symmetry: how sigma(-z) is expressed; None: units are equal only if (w, b) are.
        value: zero exactly where sigma(b) is, for the constant units.
        slope: zero exactly where sigma'(b) is.
    """

    symmetry: Symmetry | None
    value: Zeros
    slope: Zeros


@dataclass(frozen=True)
class Knot:
    """sigma gains jump(z) H(z - at), H the Heaviside function.

    Attributes:
        at: where.
        jump: coefficients of a polynomial in z, the constant first.
    """

    at: Fraction
    jump: tuple[Fraction, ...]


@dataclass(frozen=True)
class Piecewise:
    """A piecewise polynomial: atoms H_P, one for each hyperplane z = knot, and 1.

    Attributes:
        base: coefficients of the polynomial left of all knots, the constant first.
        knots: the knots, ascending.
    """

    base: tuple[Fraction, ...]
    knots: tuple[Knot, ...] = ()


@dataclass(frozen=True)
class ExponentialLinear:
    """scale (z where z > 0, alpha (e^z - 1) elsewhere): atoms H_P, e^z (1 - H_P) and 1.

    Attributes:
        alpha: not zero.
        scale: not zero.
    """

    alpha: Fraction
    scale: Fraction


@dataclass(frozen=True)
class Wave:
    """sin(z) or cos(z): atoms sin(w_g.x), cos(w_g.x) and 1, for frequencies up to sign.

    Attributes:
        cosine: whether it is the cosine.
    """

    cosine: bool


@dataclass(frozen=True)
class Exponential:
    """e^z: atoms e^(w.x), the constant for w = 0."""


@dataclass(frozen=True)
class Gaussian:
    """e^(-z^2): atoms e^(-z_g^2), for units equal up to sign, and 1."""


Kind: TypeAlias = Smooth | Piecewise | ExponentialLinear | Wave | Exponential | Gaussian


@dataclass(frozen=True)
class ActivationRow:
    """One activation.

    Attributes:
        name: a key of ``llr.models.ACTIVATIONS``.
        kind: its atoms.
        theorem: why they are independent.
        assumes: what the rank rests on beyond that theorem; empty where it is proved.
    """

    name: str
    kind: Kind
    theorem: str
    assumes: tuple[str, ...] = ()
