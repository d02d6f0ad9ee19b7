"""The rank at the witness of an optimistic sample size, proved."""

from __future__ import annotations

from llr.certify._certified_rank import CertifiedRank
from llr.certify._certify_rank import certify_rank
from llr.errors import InvalidInputError
from llr.theory import SampleSize

__all__ = ["certify_size"]


def certify_size(
    sample_size: SampleSize,
    *,
    use_theory: bool = True,
    max_precision: int = 4096,
    max_seconds: float | None = None,
    seed: int = 0,
) -> CertifiedRank:
    """Proved bounds on the rank at the witness: parameters that express the target.

    The optimistic sample size is the least rank over all parameters that express the target, so a
    proved rank r at the witness proves that it is at most r, up to the rounding of the witness:
    parameters are binary numbers, and express the target to that precision.

    Args:
        sample_size: the result of :func:`llr.optimistic_sample_size`.
        use_theory: whether :func:`llr.formal_rank` may bound the rank; False: a proof without it.
        max_precision: as for :func:`llr.certify_rank`.
        max_seconds: as for :func:`llr.certify_rank`.
        seed: of samples, primes and symbols.

    Returns:
        The certified rank at the witness.

    Raises:
        InvalidInputError: if the sample size does not hold its model.

    References:
        Zhang et al., JMLR 26(69), 2025, Definition 3.

    Example:
        >>> import llr
        >>> model = llr.SharedTanhConv1D(5, width=10, kernel_size=3)
        >>> size = llr.optimistic_sample_size(model, llr.PaperTeacherMLP())
        >>> certify_size(size, use_theory=False).rank == size.value == 7
        True
    """
    if sample_size.model is None:
        raise InvalidInputError(
            "sample_size must be a result of llr.optimistic_sample_size, which holds its model, "
            "got one without. Compute it again."
        )
    return certify_rank(
        sample_size.model,
        params=sample_size.witness,
        use_theory=use_theory,
        max_precision=max_precision,
        max_seconds=max_seconds,
        seed=seed,
    )
