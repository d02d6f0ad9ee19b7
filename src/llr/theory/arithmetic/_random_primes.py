"""Random 61-bit primes."""

from __future__ import annotations

import random
from functools import lru_cache

import torch

from llr.seeds import generator

__all__ = ["N_PRIMES", "PRIME_BITS", "is_prime", "large_prime", "random_primes"]

PRIME_BITS = 61
N_PRIMES = 2
"""Primes drawn for every rank; the largest rank modulo one of them counts."""

LEAST_ORDER = 2**13
"""Powers of two up to this exponent differ modulo every prime drawn.

The exponents of two nonzero products of two float64 numbers differ by less than 4300.
"""

_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def is_prime(n: int) -> bool:
    """Whether n is prime, by Miller and Rabin's test; certain for n < 2^64.

    The first twelve primes as bases decide every n below 3.1e23 (Sorenson and Webster, Math.
    Comp. 86, 2017).
    """
    if n < 2 or any(n % p == 0 for p in _WITNESSES):
        return n in _WITNESSES
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(n, base, odd, twos) for base in _WITNESSES)


def _passes(n: int, base: int, odd: int, twos: int) -> bool:
    """Whether n = odd 2^twos + 1 looks prime to one base."""
    power = pow(base, odd, n)
    if power in (1, n - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % n
        if power == n - 1:
            return True
    return False


@lru_cache(maxsize=64)
def random_primes(seed: int) -> tuple[int, ...]:
    """Distinct random primes between 2^60 and 2^61, modulo which 2 has a large order."""
    stream = generator(seed, "probe", "primes")
    primes: list[int] = []
    while len(primes) < N_PRIMES:
        draw = int(torch.randint(2 ** (PRIME_BITS - 2), (), generator=stream))
        candidate = 2 ** (PRIME_BITS - 1) + 2 * draw + 1
        if candidate not in primes and is_prime(candidate) and _has_large_order(candidate):
            primes.append(candidate)
    return tuple(primes)


@lru_cache(maxsize=64)
def large_prime(bits: int, seed: int) -> int:
    """A random prime of so many bits, at least 61, for polynomials of a large degree.

    Above 2^64 the test is that of Miller and Rabin with twelve bases: a composite number passes
    with a probability below 4^-12, and random ones far more rarely.
    """
    draw = random.Random(f"{seed}-{bits}")
    while True:
        candidate = draw.getrandbits(bits) | 1 << (bits - 1) | 1
        if is_prime(candidate) and _has_large_order(candidate):
            return candidate


def _has_large_order(prime: int) -> bool:
    """Whether no 2^k with 0 < k <= LEAST_ORDER is 1 modulo the prime."""
    power = 1
    for _ in range(LEAST_ORDER):
        power = power * 2 % prime
        if power == 1:
            return False
    return True
