"""Elementary functions of eight float64 numbers at once.

The polynomials interpolate at Chebyshev points; each comment states the largest error of the
polynomial itself. The tests compare the functions with mpmath.
"""

from __future__ import annotations

import math

from llvmlite import ir

from llr.training.simd._expressions import (
    Expression,
    Mask,
    fma,
    polynomial,
    power_of_two,
    where,
)
from llr.training.simd._tanh import emit_tanh
from llr.training.simd._vectors import INT_VECTOR, LANES

__all__ = ["arctan", "erf", "exp", "expm1", "log1p", "normal_cdf", "sin_cos", "tanh"]

_EXP = (  # (e^r - 1 - r) / r^2 for |r| <= log(2) / 2: 1.4e-18
    0.5,
    0.1666666666666667,
    0.04166666666666667,
    0.008333333333326141,
    0.0013888888888883752,
    0.00019841269874800493,
    2.4801587325533363e-05,
    2.7557255425746435e-06,
    2.7557273661348637e-07,
    2.510520637395701e-08,
    2.0914679376583935e-09,
)
_LOG = (  # artanh(sqrt(v)) / sqrt(v) for 0 <= v <= 1/9: 4.9e-17
    1.0,
    0.33333333333341286,
    0.199999999976438,
    0.1428571455582858,
    0.11111095430673142,
    0.09091429900236955,
    0.07681838124445817,
    0.06795652742789947,
    0.04940394524382393,
    0.08890381913056651,
)
_ERF = (  # erf(sqrt(v)) / sqrt(v) for 0 <= v <= 1: 7.4e-18
    1.1283791670955126,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
)
_ERFCX = (  # e^{x^2} erfc(x) in t = (x - 2.5) / (x + 2.5) for 1 <= x <= 6: 1.1e-17
    0.21080636406114356,
    -0.3717367339489732,
    0.251713193217456,
    -0.12503305237885554,
    0.0399225390747838,
    -0.0039937011641469865,
    -0.002642365927759658,
    0.0008759154019168855,
    0.00022837955896605415,
    -0.00012887649615317198,
    -3.4172229273553035e-05,
    1.8609712314617464e-05,
    7.48480117852628e-06,
    -2.2842173094341345e-06,
    -1.5625258507743158e-06,
    8.134380709229634e-08,
)
_TAIL = (  # e^{x^2} erfc(x) / 2 in t = (x - 3) / (x + 3) for 0 <= x <= 6: 8e-19
    0.08950057559069498,
    -0.16311678002151864,
    0.1228019008561652,
    -0.07505796825038415,
    0.0358329185990191,
    -0.01219624965955683,
    0.0021345681649359623,
    0.00035387322310560354,
    -0.0002985309393556932,
    2.2627652884645146e-05,
    3.2027891009842944e-05,
    -6.430935273869297e-06,
    -3.987601576302465e-06,
    1.066230140106105e-06,
    6.309649255795933e-07,
    -1.5918382309662488e-07,
    -1.5093360790590025e-07,
    -2.162144287758082e-08,
    6.771261013218523e-09,
    1.9293408630536352e-09,
)
_SIN = (  # sin(sqrt(v)) / sqrt(v) for 0 <= v <= (pi / 4)^2: 1.8e-21
    1.0,
    -0.16666666666666666,
    0.008333333333333321,
    -0.00019841269841253478,
    2.7557319213562225e-06,
    -2.5052104779095043e-08,
    1.6058352428871255e-10,
    -7.578090160922686e-13,
)
_COS = (  # cos(sqrt(v)) there: 3.1e-20
    1.0,
    -0.5,
    0.04166666666666645,
    -0.0013888888888861095,
    2.4801587283881152e-05,
    -2.7557313097790086e-07,
    2.0875582380663952e-09,
    -1.1353379638297575e-11,
)
_ATAN = (  # arctan(sqrt(v)) / sqrt(v) for 0 <= v <= tan(pi / 8)^2: 1.3e-18
    1.0,
    -0.3333333333333312,
    0.19999999999940893,
    -0.14285714279250245,
    0.11111110744919658,
    -0.09090896809064027,
    0.07692045330902225,
    -0.06662951813629191,
    0.05846878297330872,
    -0.05035102456601552,
    0.03796525745386593,
    -0.017805397205419446,
)

_LOG2_HIGH = float.fromhex("0x1.62e42fefap-1")  # log(2), upper 39 bits: k * high is exact
_LOG2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")  # the rest of log(2)
_LEAST_EXPONENT = -708.0  # e^x is taken as 0 below, where float64 loses accuracy
_MOST_EXPONENT = 710.0  # e^x is infinite from here on

_HALF_PI = [float.fromhex(h) for h in ("0x1.921fb54442d18p+0", "0x1.1a62633145c07p-54")]
_MOST_ANGLE = 2.0**50  # beyond, a float64 does not say where in a period it lies


def _reduced(x: Expression) -> tuple[Expression, Expression]:
    """For x in the range of exponents: e^r - 1 and 2^k, x = r + k log(2)."""
    k, bits = (x * (1 / math.log(2))).at_most(1023.0).nearest_integer()
    r = fma(k, -_LOG2_LOW, fma(k, -_LOG2_HIGH, x))
    return fma(polynomial(r, _EXP) * r, r, r), power_of_two(x.build, bits)


def exp(x: Expression) -> Expression:
    """e^x; 0 where that is below 3e-308."""
    core, scale = _reduced(x.at_least(_LEAST_EXPONENT).at_most(_MOST_EXPONENT))
    return where(x < _LEAST_EXPONENT, 0.0, fma(core, scale, scale))


def expm1(x: Expression) -> Expression:
    """e^x - 1, accurate near 0."""
    core, scale = _reduced(x.at_least(-50.0).at_most(_MOST_EXPONENT))
    return fma(core, scale, scale - 1.0)


def log1p(u: Expression) -> Expression:
    """log(1 + u) for 0 <= u <= 1."""
    s = u / (u + 2.0)
    return s * 2.0 * polynomial(s * s, _LOG)


def erf(x: Expression) -> tuple[Expression, Expression]:
    """The error function, and e^{-x^2}, which it needs on the way."""
    size, square = abs(x), x * x
    bell = exp(-square)
    inner = size * polynomial(square, _ERF)
    far = size.at_most(6.0)  # from there on erf(x) rounds to 1
    outer = 1.0 - bell * polynomial((far - 2.5) / (far + 2.5), _ERFCX)
    value = where(size < 1.0, inner, outer)
    return where(x < 0.0, -value, value), bell


def normal_cdf(x: Expression) -> tuple[Expression, Expression]:
    """The distribution function of the standard normal law, and e^{-x^2 / 2}."""
    bell = exp(x * x * -0.5)
    size = abs(x).at_most(6 * math.sqrt(2))  # from there on the tail is below 1e-17
    shift = 3 * math.sqrt(2)
    tail = bell * polynomial((size - shift) / (size + shift), _TAIL)
    return where(x < 0.0, tail, 1.0 - tail), bell


def sin_cos(x: Expression) -> tuple[Expression, Expression]:
    """sin(x) and cos(x); NaN beyond 2^50."""
    x = where(abs(x) < _MOST_ANGLE, x, math.nan)
    k, quadrant = (x * (2 / math.pi)).nearest_integer()
    r = fma(k, -_HALF_PI[1], fma(k, -_HALF_PI[0], x))
    square = r * r
    sine, cosine = r * polynomial(square, _SIN), polynomial(square, _COS)
    odd, low = (_has_bit(x, quadrant, bit) for bit in (1, 2))
    sine, cosine = where(odd, cosine, sine), where(odd, -sine, cosine)
    return where(low, -sine, sine), where(low, -cosine, cosine)


def _has_bit(x: Expression, integers: object, bit: int) -> Mask:
    """Where a bit of int64 lanes is set."""
    build = x.build
    zero = ir.Constant(INT_VECTOR, [0] * LANES)
    masked = build.and_(integers, ir.Constant(INT_VECTOR, [bit] * LANES))
    return Mask(build, build.icmp_unsigned("!=", masked, zero))


def arctan(x: Expression) -> Expression:
    """The inverse tangent."""
    size = abs(x)
    large, middle = size > 1 + math.sqrt(2), size > math.sqrt(2) - 1
    turned = (size - 1.0) / (size + 1.0)
    r = where(large, -1.0 / size, where(middle, turned, size))
    start = where(large, math.pi / 2, where(middle, math.pi / 4, 0.0))
    value = start + r * polynomial(r * r, _ATAN)
    return where(x < 0.0, -value, value)


def tanh(x: Expression) -> Expression:
    """The hyperbolic tangent; see :func:`llr.training.simd.tanh`."""
    return Expression(x.build, emit_tanh(x.build, x.value))
