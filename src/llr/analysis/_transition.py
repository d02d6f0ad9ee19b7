"""Where recovery begins: the transition of one setting, with a bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from llr._constants import RECOVERY_THRESHOLD
from llr._show import html_lines, to_json
from llr.analysis._run_errors import errors_of
from llr.analysis._run_table import trained
from llr.analysis._setting_columns import group_columns
from llr.errors import InvalidInputError, check_choice, check_number, check_positive_int

__all__ = ["Transition", "TransitionMethod", "transition"]

TransitionMethod = Literal["isotonic", "logistic", "median", "mean"]

# Floats held at once while resampling.
_CHUNK = 2_000_000

# Forgives rounding where a fitted curve crosses at an integer.
_ROUNDING = 1 - 1e-9


@dataclass(frozen=True)
class Transition:
    """The least sample size from which a setting recovers its target.

    Attributes:
        sample_size: the transition; inf if it lies beyond the largest sample size measured.
        low: lower end of the bootstrap interval; NaN where there is none.
        high: upper end, inf likewise.
        after: the largest measured sample size below the transition; 0 if there is none. The
            transition lies in (after, sample_size].
        largest: the largest sample size measured.
        method: how it was found.
        threshold: a run recovers if its test MSE is below.
        confidence: of the interval.
        n_runs: number of runs.
        n_bootstrap: number of resamples.
        seed: of the resampling.
    """

    sample_size: float
    low: float
    high: float
    after: float
    largest: float
    method: TransitionMethod
    threshold: float
    confidence: float
    n_runs: int
    n_bootstrap: int
    seed: int

    def _shown(self, value: float) -> str:
        """A sample size, or that it lies beyond the largest measured."""
        return f"{value:g}" if math.isfinite(value) else f"> {self.largest:g}"

    def __str__(self) -> str:
        if math.isnan(self.low):
            return self._shown(self.sample_size)
        ends = f"[{self._shown(self.low)}, {self._shown(self.high)}]"
        return f"{self._shown(self.sample_size)} {ends}"

    def summary(self) -> dict[str, Any]:
        """One flat row."""
        return asdict(self)

    def to_json(self) -> str:
        """The flat row as JSON; infinite and missing numbers become null."""
        return to_json(self.summary())

    def _repr_html_(self) -> str:
        """A sentence, for notebooks."""
        return html_lines([f"transition at n = {self} ({self.method}, MSE < {self.threshold:g})"])


def transition(
    df: pd.DataFrame,
    *,
    threshold: float = RECOVERY_THRESHOLD,
    method: TransitionMethod = "isotonic",
    confidence: float = 0.95,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Transition:
    r"""The first sample size at which a setting recovers its target.

    A run recovers if its test MSE is below the threshold; a run that diverged counts as
    infinitely wrong, one whose status is ``error`` is left out. With :math:`k_n` of the
    :math:`m_n` runs at n samples recovered:

    - ``"isotonic"``: first measured n where the isotonic regression of :math:`k_n / m_n`, weighted
      by :math:`m_n`, reaches 1/2. Equivalently, the cut that leaves the fewest runs on the wrong
      side: recovered before it or not recovered from it on.
    - ``"logistic"``: least integer n where a logistic curve in log n reaches 1/2, fitted with
      Firth's penalty, which keeps it finite where the runs separate perfectly. It need not be a
      measured n.
    - ``"median"``, ``"mean"``: first measured n from which on the median (mean) of the test MSE
      stays below the threshold.

    The interval is a percentile bootstrap that redraws whole seeds, since the runs of one seed
    share their draws across sample sizes. Where all runs agree it has no width: it measures the
    spread between seeds, not the gaps between the measured sample sizes, for which see
    ``Transition.after``.

    Args:
        df: one row per run of one setting, with columns ``sample_size`` (> 0), ``seed`` and
            ``test_mse``.
        threshold: of the test MSE, > 0.
        method: as above.
        confidence: of the interval.
        n_bootstrap: number of resamples; 0 leaves the interval out.
        seed: of the resampling.

    Returns:
        The transition, with its interval; no interval where there is one seed only.

    Raises:
        InvalidInputError: if the table holds several settings, lacks a column or rows, or an
            option is wrong.

    References:
        Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80, 1993. Barlow et
        al., "Statistical Inference under Order Restrictions", 1972.

    Example:
        >>> runs = pd.DataFrame(
        ...     {"sample_size": [5, 6, 7, 8] * 2, "seed": [0] * 4 + [1] * 4,
        ...      "test_mse": [1, 1, 1e-7, 1e-7, 1, 1e-6, 1e-7, 1e-8]}
        ... )
        >>> print(transition(runs))
        6 [6, 7]
    """
    check_number("threshold", threshold, above=0.0)
    check_number("confidence", confidence, above=0.0, below=1.0)
    check_positive_int("n_bootstrap", n_bootstrap, minimum=0)
    first = _METHODS[check_choice("method", method, get_args(TransitionMethod))]
    df = trained(df, ["sample_size", "seed", "test_mse"])
    for name in group_columns(df, None):
        if (found := df[name].unique()).size > 1:
            raise InvalidInputError(
                f"transition wants the runs of one setting, got {found.size} values of {name!r}: "
                f"{', '.join(map(str, found[:5]))}. Select one, or use transition_table."
            )
    sizes, errors = _by_size_and_seed(df)
    if sizes[0] <= 0:
        raise InvalidInputError(f"sample_size must be positive, got {sizes[0]!r}.")
    found = float(first(sizes, errors.reshape(len(sizes), -1), threshold))
    low, high = _bootstrap_interval(
        lambda resampled: first(sizes, resampled, threshold),
        errors,
        confidence=confidence,
        n_bootstrap=n_bootstrap,
        random=np.random.default_rng(seed),
    )
    below = sizes[sizes < found]
    return Transition(
        sample_size=found,
        low=low,
        high=high,
        after=float(below[-1]) if below.size else 0.0,
        largest=float(sizes[-1]),
        method=method,
        threshold=threshold,
        confidence=confidence,
        n_runs=len(df),
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _by_size_and_seed(df: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Sample sizes (S,) and test errors (S, seeds, repeats), NaN where there are no runs."""
    sizes, row = np.unique(df["sample_size"].to_numpy(dtype=np.float64), return_inverse=True)
    column = pd.factorize(df["seed"], sort=True, use_na_sentinel=False)[0]
    repeat = pd.Series(row).groupby([row, column]).cumcount().to_numpy()
    errors = np.full((len(sizes), column.max() + 1, repeat.max() + 1), np.nan)
    errors[row, column, repeat] = errors_of(df)
    return sizes, errors


def _bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    errors: np.ndarray,
    *,
    confidence: float,
    n_bootstrap: int,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Percentile interval of a statistic of (S, B, runs) errors under redrawing of seeds."""
    n_sizes, n_seeds, repeats = errors.shape
    if n_seeds < 2 or n_bootstrap == 0:
        return math.nan, math.nan
    chunk = max(1, _CHUNK // (n_sizes * n_seeds * repeats))
    values = []
    for start in range(0, n_bootstrap, chunk):
        drawn = random.integers(n_seeds, size=(min(chunk, n_bootstrap - start), n_seeds))
        values.append(statistic(errors[:, drawn].reshape(n_sizes, len(drawn), -1)))
    tail = (1 - confidence) / 2
    # Order statistics: interpolation between finite and infinite values has no meaning.
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _counts(errors: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of runs and of recovered runs, (S, ...)."""
    return (~np.isnan(errors)).sum(-1), (errors < threshold).sum(-1)


def _first_true(sizes: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """The first sample size where ``holds`` (S, ...), inf where nowhere."""
    return np.where(holds.any(0), sizes[holds.argmax(0)], np.inf)


def _first_isotonic(sizes: np.ndarray, errors: np.ndarray, threshold: float) -> np.ndarray:
    """First size where the isotonic fit reaches 1/2: after the first least partial sum."""
    runs, recovered = _counts(errors, threshold)
    excess = recovered - runs / 2
    partial = np.concatenate([np.zeros_like(excess[:1]), np.cumsum(excess, axis=0)])
    cut = partial.argmin(0)
    position = np.arange(len(sizes)).reshape(-1, *[1] * cut.ndim)
    return _first_true(sizes, (position >= cut) & (runs > 0))


def _first_logistic(sizes: np.ndarray, errors: np.ndarray, threshold: float) -> np.ndarray:
    """Least integer where Firth's logistic regression on log n reaches 1/2."""
    runs, recovered = _counts(errors, threshold)
    smallest = _first_true(sizes, runs > 0)
    largest = _first_true(sizes[::-1], runs[::-1] > 0)
    # log n moved and scaled so that the measured sizes span [-1, 1].
    centre = np.log(smallest * largest) / 2
    spread = np.log(largest / smallest) / 2
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        x = (np.log(sizes).reshape(-1, *[1] * (runs.ndim - 1)) - centre) / spread
        level, slope = _firth_logistic(x, runs, recovered)
        crossing = np.ceil(np.exp(centre - spread * level / slope) * _ROUNDING)
    rises = (slope > 0) & (crossing <= largest)
    fitted = np.where(level >= slope, smallest, np.where(rises, crossing, np.inf))
    # One size alone has no curve.
    return np.where(spread > 0, fitted, _first_isotonic(sizes, errors, threshold))


def _firth_logistic(
    x: np.ndarray, runs: np.ndarray, recovered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Level and slope that maximise the logistic likelihood times the square root of det I.

    At the maximum they fit the same data with h/2 recoveries and h/2 failures added at each size,
    h being its leverage; Newton's method on the data so filled up, h renewed in each step.
    """
    level = slope = np.zeros(runs.shape[1:])
    for _ in range(200):
        p = 1 / (1 + np.exp(-np.clip(level + slope * x, -30, 30)))
        i00, i01, i11, det = _information(runs * p * (1 - p), x)
        leverage = runs * p * (1 - p) * (i11 - 2 * i01 * x + i00 * x**2) / det
        score = recovered + leverage / 2 - (runs + leverage) * p
        s0, s1 = score.sum(0), (score * x).sum(0)
        i00, i01, i11, det = _information((runs + leverage) * p * (1 - p), x)
        step0, step1 = (i11 * s0 - i01 * s1) / det, (i00 * s1 - i01 * s0) / det
        length = np.hypot(step0, step1)
        shrink = 1 / np.maximum(1.0, length)
        level, slope = level + shrink * step0, slope + shrink * step1
        if not np.any(length >= 1e-10):  # NaN: a single size, which has no curve
            break
    return level, slope


def _information(
    weight: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Entries and determinant of the Fisher information of level and slope."""
    i00, i01, i11 = weight.sum(0), (weight * x).sum(0), (weight * x**2).sum(0)
    return i00, i01, i11, np.maximum(i00 * i11 - i01**2, 1e-300)


def _stays_below(sizes: np.ndarray, centre: np.ndarray, threshold: float) -> np.ndarray:
    """First size from which on the centre stays below; sizes without runs (NaN) are passed over."""
    missing = np.isnan(centre)
    below = missing | (centre < threshold)
    return _first_true(sizes, np.logical_and.accumulate(below[::-1])[::-1] & ~missing)


def _first_median(sizes: np.ndarray, errors: np.ndarray, threshold: float) -> np.ndarray:
    """First size from which on the median stays below."""
    runs = (~np.isnan(errors)).sum(-1, keepdims=True)
    ranked = np.sort(errors, axis=-1)  # NaN last
    middle = sum(
        np.take_along_axis(ranked, np.maximum(rank, 0), -1) / 2
        for rank in ((runs - 1) // 2, runs // 2)
    )
    return _stays_below(sizes, np.squeeze(middle, -1), threshold)


def _first_mean(sizes: np.ndarray, errors: np.ndarray, threshold: float) -> np.ndarray:
    """First size from which on the mean stays below."""
    runs = (~np.isnan(errors)).sum(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = np.nansum(errors, axis=-1) / runs
    return _stays_below(sizes, mean, threshold)


_METHODS: dict[TransitionMethod, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "isotonic": _first_isotonic,
    "logistic": _first_logistic,
    "median": _first_median,
    "mean": _first_mean,
}
