"""The activation and its slope at each unit, in atoms: functions that are linearly independent.

Atom 0 is the constant function 1. The other atoms are numbered group by group. A term is
coefficient x atom x z^power, z the unit's own pre-activation; multiplied out, it is a combination
of atoms times monomials in x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from llr.theory.activations import (
    ActivationRow,
    Exponential,
    ExponentialLinear,
    Piecewise,
    Smooth,
    Wave,
)
from llr.theory.arithmetic import Integers, PrimeField, Residues
from llr.theory.two_layer._constant_units import ConstantValues
from llr.theory.two_layer._hidden_units import HiddenUnits
from llr.theory.two_layer._unit_groups import CONSTANT, group_hyperplanes, group_units

__all__ = ["Atoms", "Term", "UnitTerms", "atoms_of"]

ONE = 0


@dataclass(frozen=True)
class Term:
    """coefficient x atom x z^power, one for each unit.

    Attributes:
        atom: (N,).
        power: of z.
        coefficient: (N,), zero where a unit has no such term.
    """

    atom: Integers
    power: int
    coefficient: Residues


@dataclass
class UnitTerms:
    """The terms of sigma(z) and of sigma'(z)."""

    value: list[Term] = field(default_factory=list)
    slope: list[Term] = field(default_factory=list)


@dataclass(frozen=True)
class Atoms:
    """How the units of a network are made of atoms.

    Attributes:
        count: number of atoms, the constant 1 included.
        group: (N,), units with the same atoms; ``CONSTANT`` for constant units.
        names: the independent functions, in words.
        terms: the terms modulo a prime.
    """

    count: int
    group: Integers
    names: str
    terms: Callable[[PrimeField, ConstantValues], UnitTerms]


def atoms_of(row: ActivationRow, units: HiddenUnits) -> Atoms:
    """The atoms of these units under an activation."""
    kind = row.kind
    if isinstance(kind, Smooth):
        return _smooth(kind, units)
    if isinstance(kind, Piecewise):
        return _piecewise(kind, units)
    if isinstance(kind, ExponentialLinear):
        return _exponential_linear(kind, units)
    if isinstance(kind, Wave):
        return _wave(kind, units)
    return _exponential(units) if isinstance(kind, Exponential) else _gaussian(units)


def _full(field: PrimeField, value: Fraction | int, where: Integers) -> Residues:
    """One residue where a condition holds, zero elsewhere."""
    return np.where(where, field.array([field.residue(Fraction(value))]), field.array([0]))


def _add_constants(terms: UnitTerms, constant: Integers, known: ConstantValues) -> None:
    """The values of constant units, times the atom 1."""
    atom = np.zeros(len(constant), dtype=np.int64)
    if constant.any():
        terms.value.append(Term(atom, 0, known.value(constant)))
        terms.slope.append(Term(atom, 0, known.slope(constant)))


def _smooth(kind: Smooth, units: HiddenUnits) -> Atoms:
    """sigma(z_g), sigma'(z_g) and, for units of the other sign, 1 and z."""
    symmetry = kind.symmetry
    group, sign = group_units(units, up_to_sign=symmetry is not None)
    varies = group != CONSTANT
    flipped = varies & (sign != _sign_of_first(group, sign)) if symmetry else varies & False

    def terms(field: PrimeField, known: ConstantValues) -> UnitTerms:
        out, ones = UnitTerms(), np.zeros(len(group), dtype=np.int64)
        eps = symmetry.sign if symmetry else 1
        straight = varies & ~flipped

        def oriented(other: int) -> Residues:
            return field.plus(_full(field, 1, straight), _full(field, other, flipped))

        out.value.append(Term(np.where(varies, 1 + 2 * group, ONE), 0, oriented(eps)))
        out.slope.append(Term(np.where(varies, 2 + 2 * group, ONE), 0, oriented(-eps)))
        if symmetry is not None and flipped.any():
            # sigma(-z_g) = eps sigma(z_g) + constant + slope z_g with z_g = -z
            out.value.append(Term(ones, 0, _full(field, symmetry.constant, flipped)))
            out.value.append(Term(ones, 1, _full(field, -symmetry.slope, flipped)))
            out.slope.append(Term(ones, 0, _full(field, -symmetry.slope, flipped)))
        _add_constants(out, ~varies, known)
        return out

    count = 1 + 2 * (int(group.max(initial=CONSTANT)) + 1)
    return Atoms(count, group, "sigma(z_g), sigma'(z_g), sigma'(z_g) x_t, 1, x_t", terms)


def _sign_of_first(group: Integers, sign: Integers) -> Integers:
    """The sign of the first unit of each unit's group."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return sign[first][inverse]


def _piecewise(kind: Piecewise, units: HiddenUnits) -> Atoms:
    """Polynomials, and polynomials times H_P for the hyperplane P of each knot."""
    group, side = group_hyperplanes(units, np.array([float(knot.at) for knot in kind.knots]))
    varies = (units.weights != 0).any(axis=1)

    def terms(field: PrimeField, known: ConstantValues) -> UnitTerms:
        out, ones = UnitTerms(), np.zeros(len(units), dtype=np.int64)
        for target, polynomial in ((out.value, kind.base), (out.slope, _derivative(kind.base))):
            for power, c in enumerate(polynomial):
                target.append(Term(ones, power, _full(field, c, varies)))
        for k, knot in enumerate(kind.knots):
            step = _Step(1 + np.where(varies, group[:, k], 0), side[:, k], varies)
            for target, jump in ((out.value, knot.jump), (out.slope, _derivative(knot.jump))):
                for power, c in enumerate(jump):
                    target.extend(step.terms(field, power, c))
        _add_constants(out, ~varies, known)
        return out

    count = 1 + int(group.max(initial=CONSTANT)) + 1
    label = group[:, 0] if kind.knots else np.where(varies, np.arange(len(units)), CONSTANT)
    names = "monomials" + (", H_P times monomials" if kind.knots else "")
    return Atoms(count, label, names, terms)


@dataclass(frozen=True)
class _Step:
    """H(z - knot), in the atom H_P of its hyperplane: H_P on one side, 1 - H_P on the other."""

    atom: Integers
    side: Integers
    varies: Integers

    def terms(self, field: PrimeField, power: int, c: Fraction) -> list[Term]:
        """C z^power H(z - knot)."""
        if not c:
            return []
        back = self.varies & (self.side < 0)
        signed = field.plus(_full(field, c, self.varies & (self.side > 0)), _full(field, -c, back))
        own = Term(self.atom, power, signed)
        if not back.any():
            return [own]
        return [own, Term(np.zeros_like(self.atom), power, _full(field, c, back))]


def _derivative(polynomial: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """Coefficients of the derivative."""
    return tuple(power * c for power, c in enumerate(polynomial))[1:]


def _exponential_linear(kind: ExponentialLinear, units: HiddenUnits) -> Atoms:
    """Scale (z H + alpha E - alpha + alpha H) with E = e^z (1 - H), for each (w, b)."""
    planes, side = group_hyperplanes(units, np.zeros(1))
    group, _ = group_units(units, up_to_sign=False)
    varies = group != CONSTANT
    n_planes = int(planes.max(initial=CONSTANT)) + 1

    def terms(field: PrimeField, known: ConstantValues) -> UnitTerms:
        out, ones = UnitTerms(), np.zeros(len(units), dtype=np.int64)
        step = _Step(1 + np.where(varies, planes[:, 0], 0), side[:, 0], varies)
        tail = np.where(varies, 1 + n_planes + group, ONE)
        bend = kind.scale * kind.alpha
        out.value = [
            *step.terms(field, 1, kind.scale),
            *step.terms(field, 0, bend),
            Term(tail, 0, _full(field, bend, varies)),
            Term(ones, 0, _full(field, -bend, varies)),
        ]
        out.slope = [
            *step.terms(field, 0, kind.scale),
            Term(tail, 0, _full(field, bend, varies)),
        ]
        _add_constants(out, ~varies, known)
        return out

    count = 1 + n_planes + int(group.max(initial=CONSTANT)) + 1
    names = "H_P, H_P x_t, e^z (1 - H), e^z (1 - H) x_t, 1, x_t"
    return Atoms(count, group, names, terms)


def _wave(kind: Wave, units: HiddenUnits) -> Atoms:
    """Sin and cos of w_g.x, the bias in their coefficients."""
    group, sign = group_units(units, with_bias=False)
    varies = group != CONSTANT

    def terms(field: PrimeField, known: ConstantValues) -> UnitTerms:
        out = UnitTerms()
        sine, cosine = known.phases()
        turned = np.where(sign < 0, field.negative(cosine), cosine)  # sin is odd
        against = np.where(sign < 0, sine, field.negative(sine))
        atoms = {False: np.where(varies, 1 + 2 * group, ONE)}
        atoms[True] = np.where(varies, 2 + 2 * group, ONE)
        zero = field.array([0])
        # sin(z) = cos b sin(w.x) + sin b cos(w.x), cos(z) = cos b cos(w.x) - sin b sin(w.x)
        of_sine = [(False, turned), (True, sine)]
        of_cosine = [(False, against), (True, cosine)]
        parts = [of_cosine, of_sine] if kind.cosine else [of_sine, of_cosine]
        for target, part, minus in (
            (out.value, parts[0], False),
            (out.slope, parts[1], kind.cosine),
        ):
            for atom, c in part:
                signed = field.negative(c) if minus else c
                target.append(Term(atoms[atom], 0, np.where(varies, signed, zero)))
        _add_constants(out, ~varies, known)
        return out

    count = 1 + 2 * (int(group.max(initial=CONSTANT)) + 1)
    return Atoms(count, group, "sin(w_g.x), cos(w_g.x), each times 1, x_t; 1, x_t", terms)


def _exponential(units: HiddenUnits) -> Atoms:
    """e^(w.x), the bias in its coefficient; the constant 1 for w = 0."""
    group, _ = group_units(units, up_to_sign=False, with_bias=False)
    atom = np.where(group != CONSTANT, 1 + group, ONE)

    def terms(_: PrimeField, known: ConstantValues) -> UnitTerms:
        every = np.ones(len(units), dtype=bool)
        value = Term(atom, 0, known.value(every))
        return UnitTerms([value], [value])

    count = 1 + int(group.max(initial=CONSTANT)) + 1
    return Atoms(count, group, "e^(w_g.x), e^(w_g.x) x_t", terms)


def _gaussian(units: HiddenUnits) -> Atoms:
    """e^(-z_g^2) times polynomials of degree 2."""
    group, _ = group_units(units)
    varies = group != CONSTANT
    atom = np.where(varies, 1 + group, ONE)

    def terms(field: PrimeField, known: ConstantValues) -> UnitTerms:
        out = UnitTerms(
            [Term(atom, 0, _full(field, 1, varies))], [Term(atom, 1, _full(field, -2, varies))]
        )
        _add_constants(out, ~varies, known)
        return out

    count = 1 + int(group.max(initial=CONSTANT)) + 1
    return Atoms(count, group, "e^(-z_g^2) times monomials of degree at most 2, 1, x_t", terms)
