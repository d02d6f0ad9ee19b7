"""Residues modulo several primes at once, activations being random symbols of their arguments.

A finite float is a dyadic rational, so polynomials and ratios of floats have exact residues. An
activation value has none. Here h(z) is replaced by a *symbol*: a random residue that is a function
of z alone. Every relation among tangent functions that holds for symbols holds for the real
functions (substitute h(z) for the symbol of z), so the rank with symbols bounds the real rank from
above. The identities that real activations satisfy are built in, so that the bound is as low as it
should be: h odd, even, sigmoid = (1 + tanh(z/2)) / 2, exp and sin by their addition theorems.

Two arguments share a symbol only if they agree modulo every prime.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
import torch

from llr.certify import _modular_matrices as mod
from llr.certify._modular_matrices import Words
from llr.certify._number_arrays import Entries, NumberArray

__all__ = ["Field", "ResidueSystem", "Residues", "VanishingError"]

Residue: TypeAlias = tuple[Words, ...]
"""One array for each prime."""


class VanishingError(ArithmeticError):
    """A number that must not be zero is zero modulo one of the primes."""


@dataclass
class Field:
    """The primes, the key of the symbols, and whether a symbol has been used.

    Attributes:
        primes: distinct random primes between 2^30 and 2^31.
        key: of the random function that gives symbols their values.
        used_symbols: whether an activation's value has been replaced by a symbol.
    """

    primes: tuple[int, ...]
    key: int
    used_symbols: bool = field(default=False, init=False)

    @classmethod
    def random(cls, count: int, source: torch.Generator) -> Field:
        """Random primes and a random key."""
        key = int(torch.randint(0, 2**62, (), generator=source))
        return cls(tuple(mod.random_primes(count, source)), key)

    def each(self, operation: Callable[..., Words], *operands: Residue) -> Residue:
        """An operation ``(*arrays, p)`` for each prime."""
        return tuple(
            operation(*arrays, p) for *arrays, p in zip(*operands, self.primes, strict=True)
        )

    def integer(self, value: int) -> Residue:
        """An integer, as arrays without axes."""
        return tuple(np.asarray(value % p, dtype=np.uint64) for p in self.primes)

    def half(self, z: Residue) -> Residue:
        """Z / 2."""
        return self.each(lambda a, p: mod.multiply(a, np.uint64(pow(2, -1, p)), p), z)

    def add(self, a: Residue, b: Residue) -> Residue:
        """A + b."""
        return self.each(mod.add, a, b)

    def subtract(self, a: Residue, b: Residue) -> Residue:
        """A - b."""
        return self.each(lambda x, y, p: mod.add(x, mod.negate(y, p), p), a, b)

    def multiply(self, a: Residue, b: Residue) -> Residue:
        """A b."""
        return self.each(mod.multiply, a, b)

    def negate(self, a: Residue) -> Residue:
        """-a."""
        return self.each(mod.negate, a)

    def inverse(self, a: Residue) -> Residue:
        """1 / a.

        Raises:
            VanishingError: if an entry vanishes modulo one of the primes.
        """
        if any(not part.all() for part in a):
            raise VanishingError("a denominator vanishes modulo a prime")
        return self.each(mod.inverse, a)

    def equal(self, a: Residue, value: int) -> Entries:
        """Where a equals an integer modulo every prime."""
        return np.logical_and.reduce(
            [part == value % p for part, p in zip(a, self.primes, strict=True)]
        )

    def choose(self, condition: Entries, a: Residue, b: Residue) -> Residue:
        """``a`` where the condition holds, else ``b``."""
        return tuple(np.where(condition, x, y) for x, y in zip(a, b, strict=True))

    # Symbols --------------------------------------------------------------------------------

    def canonical(self, z: Residue) -> tuple[Entries, Residue]:
        """Where z is flipped, and z or -z, the same for both."""
        flipped = z[0] > self.primes[0] - z[0]
        return flipped, self.choose(flipped, self.negate(z), z)

    def symbol(self, name: str, z: Residue) -> Residue:
        """A random residue for each prime, a function of the name and of z."""
        self.used_symbols = True
        with np.errstate(over="ignore"):
            word = np.zeros_like(z[0]) + np.uint64(zlib.crc32(name.encode()) ^ self.key)
            for part in z:
                word = _mixed(word ^ part * np.uint64(0xD1342543DE82EF95))
            return tuple(
                _mixed(word + np.uint64((k + 1) * 0x9E3779B97F4A7C15 % 2**64)) % np.uint64(p)
                for k, p in enumerate(self.primes)
            )

    def odd_symbol(self, name: str, z: Residue) -> Residue:
        """A symbol with h(-z) = -h(z)."""
        flipped, one_sign = self.canonical(z)
        value = self.symbol(name, one_sign)
        value = self.choose(self.equal(z, 0), self.integer(0), value)
        return self.choose(flipped, self.negate(value), value)

    def even_symbol(self, name: str, z: Residue, at_zero: int | None = None) -> Residue:
        """A symbol with h(-z) = h(z), and perhaps a known value at 0."""
        value = self.symbol(name, self.canonical(z)[1])
        if at_zero is None:
            return value
        return self.choose(self.equal(z, 0), self.integer(at_zero), value)

    def exponential_symbol(self, z: Residue) -> Residue:
        """A symbol with h(0) = 1."""
        return self.choose(self.equal(z, 0), self.integer(1), self.symbol("exp", z))


def _mixed(word: Words) -> Words:
    """A bijection of 64-bit words that looks random (the finaliser of splitmix64, twice)."""
    for _ in range(2):
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word = word ^ (word >> np.uint64(31))
    return word


# Functions of the tape: value and derivative as symbols -----------------------------------------

Formal: TypeAlias = Callable[[Field, Residue], tuple[Residue, Residue]]


def _tanh(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Odd, tanh' = 1 - tanh^2."""
    y = f.odd_symbol("tanh", z)
    return y, f.subtract(f.integer(1), f.multiply(y, y))


def _sigmoid(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """(1 + tanh(z/2)) / 2, sigma' = sigma (1 - sigma)."""
    y = f.half(f.add(f.integer(1), f.odd_symbol("tanh", f.half(z))))
    return y, f.multiply(y, f.subtract(f.integer(1), y))


def _softplus(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """z/2 plus an even function, softplus' = sigma."""
    return f.add(f.half(z), f.even_symbol("softplus", z)), _sigmoid(f, z)[0]


def _gate(name: str) -> Formal:
    """1/2 plus an odd function; the derivative is even."""

    def formal(f: Field, z: Residue) -> tuple[Residue, Residue]:
        y = f.add(f.half(f.integer(1)), f.odd_symbol(name, z))
        return y, f.even_symbol(f"{name}'", z)

    return formal


def _erf(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Odd, the derivative even."""
    return f.odd_symbol("erf", z), f.even_symbol("erf'", z)


def _atan(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Odd, atan' = 1 / (1 + z^2)."""
    slope = f.inverse(f.add(f.integer(1), f.multiply(z, z)))
    return f.odd_symbol("atan", z), slope


def _circle(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """(sin z, cos z) by the addition theorem about the reference sample, the first."""
    reference = tuple(part[:1] for part in z)
    step = f.subtract(z, reference)
    s0, c0 = f.odd_symbol("sin", reference), f.even_symbol("cos", reference, at_zero=1)
    s, c = f.odd_symbol("sin", step), f.even_symbol("cos", step, at_zero=1)
    sine = f.add(f.multiply(s, c0), f.multiply(c, s0))
    cosine = f.subtract(f.multiply(c, c0), f.multiply(s, s0))
    return sine, cosine


def _sin(f: Field, z: Residue) -> tuple[Residue, Residue]:
    return _circle(f, z)


def _cos(f: Field, z: Residue) -> tuple[Residue, Residue]:
    sine, cosine = _circle(f, z)
    return cosine, f.negate(sine)


def _exp(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """By the addition theorem about the reference sample; exp' = exp."""
    reference = tuple(part[:1] for part in z)
    step = f.exponential_symbol(f.subtract(z, reference))
    y = f.multiply(step, f.exponential_symbol(reference))
    return y, y


def _log(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Log' = 1 / z."""
    value = f.choose(f.equal(z, 1), f.integer(0), f.symbol("log", z))
    return value, f.inverse(z)


def _rsqrt(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Z t and -t/2, t = z^(-3/2) being the symbol: homogeneity stays exact, without a quotient."""
    t = f.symbol("-3/2 power", z)
    return f.multiply(z, t), f.negate(f.half(t))


def _sqrt(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """z^2 t and z t/2, t = z^(-3/2) being the symbol."""
    root = f.multiply(z, f.symbol("-3/2 power", z))
    return f.multiply(z, root), f.half(root)


def _relative_exp(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Exp inside a softmax, where only differences of arguments count."""
    y = f.exponential_symbol(z)
    return y, y


def _reciprocal(f: Field, z: Residue) -> tuple[Residue, Residue]:
    """Exact."""
    y = f.inverse(z)
    return y, f.negate(f.multiply(y, y))


FORMAL: dict[str, Formal] = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "normal cdf": _gate("normal cdf"),
    "gelu tanh gate": _gate("gelu tanh gate"),
    "erf": _erf,
    "sin": _sin,
    "cos": _cos,
    "exp": _exp,
    "log": _log,
    "atan": _atan,
    "sqrt": _sqrt,
    "relative exp": _relative_exp,
    "rsqrt": _rsqrt,
    "reciprocal": _reciprocal,
}


class Residues(NumberArray):
    """An array modulo each of the field's primes."""

    def __init__(self, field: Field, *parts: Words) -> None:
        super().__init__(*parts)
        self.field = field

    def with_parts(self, *parts: Entries) -> Self:
        return type(self)(self.field, *parts)

    def zero(self) -> np.uint64:
        return np.uint64(0)

    def __add__(self, other: Self) -> Self:
        return self.with_parts(*self.field.add(self.parts, other.parts))

    def __mul__(self, other: Self) -> Self:
        return self.with_parts(*self.field.multiply(self.parts, other.parts))

    def __neg__(self) -> Self:
        return self.with_parts(*self.field.negate(self.parts))

    def sum_axis(self, axis: int) -> Self:
        def total(part: Words, p: int) -> Words:
            return part.sum(axis, dtype=np.uint64) % np.uint64(p)

        return self.with_parts(*self.field.each(total, self.parts))

    def product(self, other: Self) -> Self:
        return self.with_parts(*self.field.each(mod.product, self.parts, other.parts))

    def apply(self, name: str) -> tuple[Self, Self]:
        value, slope = FORMAL[name](self.field, self.parts)
        return self.with_parts(*value), self.with_parts(*slope)

    def masked(self, mask: Any) -> Self:
        if isinstance(mask, Residues):
            return self * mask
        return self.each(lambda part: np.where(mask, part, np.uint64(0)))


class ResidueSystem:
    """Residues, the signs of kinks being known or symbols.

    Args:
        field: the primes and the symbols.
        signs: known signs (1, 0, -1) in the order in which the program asks: of all samples, or
            of the reference sample alone (the first), and then those of the others are symbols.
    """

    def __init__(self, field: Field, signs: Sequence[Entries] = ()) -> None:
        self.field = field
        self._signs = iter(signs)

    def constant(self, values: Entries) -> Residues:
        """Exact numbers."""
        array = np.asarray(values, dtype=np.float64)
        return Residues(self.field, *(mod.residues(array, p) for p in self.field.primes))

    samples = constant

    def random(self, count: int, shape: Sequence[int], source: torch.Generator) -> Residues:
        """Random samples."""
        parts = [
            torch.randint(0, p, (count, *shape), generator=source).numpy().astype(np.uint64)
            for p in self.field.primes
        ]
        return Residues(self.field, *parts)

    def positive(self, z: Residues) -> Any:
        """Where z > 0: known, or a symbol of the ratio of z to its value at the reference sample.

        The ratio keeps the relations between positive multiples and between opposites; the sign at
        the reference sample is a true one.
        """
        known = next(self._signs)
        if len(known) == z.shape[0]:
            return known > 0
        f, reference = self.field, tuple(part[:1] for part in z.parts)
        off = known == 0  # nothing to compare with: the sign is a symbol of z itself
        if any((part[~off] == 0).any() for part in reference):
            raise VanishingError("an argument at the reference sample vanishes modulo a prime")
        ratio = f.multiply(z.parts, f.inverse(f.choose(off, f.integer(1), reference)))
        step = f.choose(f.equal(ratio, 1), f.integer(1), f.symbol("step", ratio))
        turned = f.choose(known > 0, step, f.subtract(f.integer(1), step))
        free = f.choose(f.equal(z.parts, 0), f.integer(0), f.symbol("free step", z.parts))
        return z.with_parts(*f.choose(np.broadcast_to(off, z.shape), free, turned))
