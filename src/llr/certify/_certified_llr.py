"""The LLR test with proved ranks: a certain yes, a certain no, or undecided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from llr.certify._certified_rank import CertifiedRank
from llr.certify._certify_rank import certify
from llr.certify._rank_problem import RankProblem, pose
from llr.tangent import Model, Samples, as_samples, as_the_model_takes, concatenate

__all__ = ["Answer", "CertifiedLLR", "certify_llr"]

Answer = Literal["yes", "no", "undecided"]


@dataclass(frozen=True)
class CertifiedLLR:
    """Whether r_X = r, from proved bounds on both ranks.

    Attributes:
        on_x: bounds on r_X, the rank on the samples.
        whole: bounds on r, the model rank; on x and the further inputs where those were given.
            None where r cannot be bounded but by the number of parameters, since inputs are not
            real vectors that can be drawn.
        n_params: M.
    """

    on_x: CertifiedRank
    whole: CertifiedRank | None = field(repr=False)
    n_params: int

    @property
    def answer(self) -> Answer:
        """``"yes"``, ``"no"`` or ``"undecided"``."""
        most = self.n_params if self.whole is None else self.whole.upper
        if self.on_x.lower >= most:
            return "yes"
        if self.whole is not None and self.on_x.upper < self.whole.lower:
            return "no"
        return "undecided"

    @property
    def chance(self) -> float:
        """An upper bound on the probability that the answer is wrong; 0 where it is a theorem."""
        if self.answer == "yes":
            return 0.0 if self.whole is None else self.whole.upper_chance
        return self.on_x.upper_chance if self.answer == "no" else 0.0

    @property
    def sentence(self) -> str:
        """The answer with its bounds."""
        most = self.n_params if self.whole is None else self.whole.upper
        sure = "a theorem" if self.chance == 0 else f"wrong with probability <= {self.chance:.0e}"
        if self.answer == "yes":
            return f"certain: the rank on x is {self.on_x.lower}, all of the model rank ({sure})"
        if self.answer == "no":
            least = 0 if self.whole is None else self.whole.lower
            return (
                f"certain: the rank on x is at most {self.on_x.upper} and the model rank at least "
                f"{least} ({sure})"
            )
        least = 0 if self.whole is None else self.whole.lower
        return (
            f"undecided: the rank on x is between {self.on_x.lower} and {self.on_x.upper}, the "
            f"model rank between {least} and {most}"
        )

    def summary(self) -> dict[str, object]:
        """One flat row."""
        return {
            "answer": self.answer,
            "chance": self.chance,
            "rank_on_x_lower": self.on_x.lower,
            "rank_on_x_upper": self.on_x.upper,
            "model_rank_lower": None if self.whole is None else self.whole.lower,
            "model_rank_upper": self.n_params if self.whole is None else self.whole.upper,
        }


def certify_llr(
    model: Model,
    x: object,
    *,
    params: Mapping[str, Tensor] | None = None,
    inputs: object = None,
    use_theory: bool = True,
    max_precision: int = 4096,
    max_seconds: float | None = None,
    seed: int = 0,
) -> CertifiedLLR:
    r"""Proved bounds on both sides of the LLR test, r_X = r.

    It holds for certain if the lower bound on the rank on x reaches the upper bound on the model
    rank, and fails for certain if the upper bound on the rank on x is below the lower bound on
    the model rank (Zhang et al., JMLR 26(69), 2025, Lemma 1).

    Args:
        model: as for :func:`llr.certify_rank`.
        x: n samples.
        params: parameters by name, in place of the module's own.
        inputs: further inputs that stand, with x, for the whole input space; None: all inputs.
        use_theory: whether closed forms may bound the ranks.
        max_precision: bits that ball arithmetic may use.
        max_seconds: of each of the two certificates.
        seed: of samples, primes and symbols.

    Returns:
        The bounds and the answer.

    Raises:
        InvalidInputError: if an argument is wrong, or a sample lies on a kink.
        UnsupportedModuleError: if an operation of the model has no rule.

    Example:
        >>> import torch, llr
        >>> x = torch.randn(18, 5, generator=torch.Generator().manual_seed(0))
        >>> certify_llr(llr.PaperTeacherMLP(), x).answer
        'yes'
        >>> certify_llr(llr.PaperTeacherMLP(), x[:15]).answer
        'no'
    """
    problem = pose(model, x, params, seed=seed, max_seconds=max_seconds)

    def certified(posed: RankProblem) -> CertifiedRank:
        return certify(posed, use_theory=use_theory, max_precision=max_precision)

    on_x = certified(problem)
    problem.deadline.restart()
    assert problem.x is not None
    if inputs is not None:
        more = as_the_model_takes(problem.function, as_samples(inputs, problem.function.device))
        whole = certified(problem.on(concatenate(problem.x, more)))
    elif drawable(problem.x):
        whole = certified(problem.on(None))
    else:
        whole = None
    return CertifiedLLR(on_x, whole, problem.n_params)


def drawable(x: Samples) -> bool:
    """Whether random samples of this form can be drawn: one tensor of real numbers."""
    return isinstance(x, Tensor) and x.is_floating_point()
