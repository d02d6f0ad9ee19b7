"""From singular values to an integer: tolerance, gap, verdict.

The textbook tolerance counts what lies above rounding. That is the rank of J as stored, and not
always the rank that is meant: at parameters that are only near a point of low rank it counts the
error of the parameters, and where singular values fall off smoothly it cuts anywhere. So the gap
between the last kept and the first dropped value decides whether the integer is to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from llr.errors import check_number
from llr.tangent._refine import EPS

__all__ = ["Decision", "Verdict", "decide", "explicit_tolerance"]

Verdict = Literal["clear", "ambiguous"]

CLEAR_GAP = 1e4
"""A gap that counts as clear. Random two-layer tanh networks, 12 of each of 40 sizes: with d >= 3
the gap at the true rank was 2e5 and more; where float64 lost the true rank, the gap at the wrong
one was below 1e4 but for one network in d = 1 (two neurons almost equal)."""

COMPARABLE = 0.6
"""Gaps of at least the widest to this power are comparable to it. An error of the parameters adds
singular values of its size, of its square and so on, so gaps of about one width follow each other
and the first is that of the point nearby. Of 108 points near targets (3 or 5 neurons in width 10
to 50, errors 1e-4 to 1e-8) the first comparable gap was right at 104, the widest at 91; at exact
points of order-one parameters both always were."""

CLEAR_GAP_ABOVE_NOISE = 10.0
"""The same above a stated error of the parameters, which explains what lies below."""

NOISE_FACTOR = 3.0
"""How far above its estimate the noise in a direction may lie."""


STATE_THE_ERROR = (
    "State param_error=, how far each parameter may be off: 0 if they are exact, more if they "
    "were trained. "
)
SPREAD_SAMPLES = "Try samples spread over the region where the hidden units bend"
EXACT_ALGEBRA = ", or llr.formal_rank, which is exact for this network"


@dataclass(frozen=True)
class Decision:
    """A rank read off singular values."""

    rank: int
    textbook_rank: int
    tolerance: float
    gap: float
    verdict: Verdict
    message: str


def explicit_tolerance(
    largest: float,
    shape: tuple[int, int],
    atol: float | None,
    rtol: float | None,
    eps: float = EPS,
) -> float:
    """max(atol, rtol sigma_1), with the defaults of ``torch.linalg.matrix_rank``."""
    absolute = 0.0 if atol is None else check_number("atol", atol, minimum=0.0)
    if rtol is None:
        relative = max(shape) * eps if not absolute else 0.0
    else:
        relative = check_number("rtol", rtol, minimum=0.0)
    return max(absolute, relative * largest)


def _count(values: Tensor, tolerance: float) -> int:
    """How many values are above the tolerance."""
    return int((values > tolerance).sum())


def _gaps(values: Tensor, upto: int, tolerance: float, eps: float) -> Tensor:
    """sigma_i / sigma_{i+1} for i = 1..upto.

    Values below eps sigma_1 count as that, being the rounding of the largest; after the very last
    value comes the tolerance.
    """
    floor = values[0] * eps
    following = torch.cat([values[1:], values.new_tensor([tolerance])]).clamp(min=floor)
    return (values / following)[:upto]


def decide(
    values: Tensor,
    shape: tuple[int, int],
    *,
    atol: float | None,
    rtol: float | None,
    gap: float | None,
    noise: Tensor | None,
    two_layer: bool = False,
    eps: float = EPS,
) -> Decision:
    """Rank, tolerance and verdict for singular values in descending order.

    With a tolerance of the caller's, the rank is what lies above it. With ``noise``, the rank is
    the least r whose first dropped value the noise explains. Else it is at the widest gap among
    the values above the textbook tolerance, or the first that is comparable to it, being at least
    the widest to the power 0.6; it is clear only where that tolerance agrees and no other gap is
    clear.

    Args:
        values: singular values of J, descending; at least one.
        shape: of J.
        atol: absolute tolerance.
        rtol: tolerance in units of the largest value.
        gap: least gap that counts as clear; None: 10^4, and 10 above a stated noise.
        noise: (k,) for each r = 0..k-1, the norm of what the error of the parameters puts into
            the directions r+1..k.
        two_layer: whether ``formal_rank`` knows the model, so that the message names it.
        eps: rounding of the entries of J, relative to the largest.

    Returns:
        The decision.
    """
    clear = CLEAR_GAP if gap is None else check_number("gap", gap, above=1.0)
    tolerance = explicit_tolerance(float(values[0]), shape, atol, rtol, eps)
    textbook = _count(values, tolerance)
    if textbook == 0:
        return Decision(0, 0, tolerance, float("inf"), "clear", "All tangent functions vanish.")
    rank, others, stairs = textbook, [], ""
    if noise is not None:
        floors = NOISE_FACTOR * noise
        explained = torch.cat([values <= floors, floors.new_ones(1, dtype=torch.bool)])
        rank = min(int(explained.int().argmax()), textbook)
        if rank < textbook:
            tolerance = max(tolerance, float(floors[rank]))
            clear = CLEAR_GAP_ABOVE_NOISE if gap is None else clear
    elif atol is None and rtol is None:
        gaps = _gaps(values, textbook, tolerance, eps)
        rank = int((gaps >= gaps.max() ** COMPARABLE).int().argmax()) + 1
        rivals = {i + 1 for i in range(textbook) if gaps[i] >= clear} | {textbook}
        others = sorted(rivals - {rank})
        if (widest := int(gaps.argmax()) + 1) != rank:
            stairs = (
                f"; the widest gap, {float(gaps.max()):.1e}, is after {widest}, but an error of "
                "the parameters makes such stairs, so the first counts"
            )
        if rank < textbook:
            tolerance = float(values[rank - 1].sqrt() * values[rank].sqrt())
    if rank == 0:
        message = "All singular values are within the stated error of the parameters."
        return Decision(0, textbook, tolerance, float("inf"), "clear", message)
    seen = float(_gaps(values, rank, tolerance, eps)[-1])
    if seen >= clear and not others:
        return Decision(rank, textbook, tolerance, seen, "clear", "")
    why = f"Value {rank} is {seen:.1e} times what follows"
    if seen < clear:
        why += f", which is no clear gap (at least {clear:.0e})"
    if others:
        why += f"; {textbook} values lie above rounding"
        if gaps_between := [r for r in others if r != textbook]:
            why += f", and there are clear gaps after {', '.join(map(str, gaps_between))} too"
    error = STATE_THE_ERROR if noise is None else ""
    message = f"{why}{stairs}. {error}{SPREAD_SAMPLES}{EXACT_ALGEBRA if two_layer else ''}."
    return Decision(rank, textbook, tolerance, seen, "ambiguous", message)
