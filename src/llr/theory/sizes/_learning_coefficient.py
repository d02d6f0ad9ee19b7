"""Learning coefficients (real log canonical thresholds) of a target in a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor, nn

from llr._show import html_table, to_json
from llr.models import DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear
from llr.theory.linear import VectorModel, coefficient_target
from llr.theory.sizes._aoyagi import deep_linear_coefficient
from llr.theory.sizes._linear_map import linear_map
from llr.theory.sizes._optimistic_bound import optimistic_bound
from llr.theory.sizes._optimistic_sample_size import optimistic_sample_size
from llr.theory.sizes._separation_sample_size import separation_sample_size

__all__ = ["LearningCoefficient", "learning_coefficient"]

AOYAGI = "Aoyagi's formula for deep linear networks"
PRODUCTS = "coefficients that are products of their own parameters"
MEETING = "optimistic and separation sample size agree"
ENDS = "half the optimistic and half the separation sample size"


@dataclass(frozen=True, repr=False)
class LearningCoefficient:
    """Learning coefficient of a target in a model, or an interval that contains it.

    Attributes:
        lower: a lower bound, exact.
        upper: an upper bound; equal to ``lower`` where the coefficient is known.
        multiplicity: the multiplicity where the coefficient is known, otherwise None.
        theorem: what gives the ends.
        status: ``"cited"`` or ``"proved"`` (in the documentation).
        target: the target in words.
        n_parameters: M, the model's number of parameters.
    """

    lower: Fraction
    upper: Fraction
    multiplicity: int | None
    theorem: str
    status: str
    target: str
    n_parameters: int

    @property
    def value(self) -> Fraction | None:
        """The learning coefficient, None where only an interval is known."""
        return self.upper if self.lower == self.upper else None

    def summary(self) -> dict[str, float | int | str | None]:
        """One flat row, the fractions as numbers."""
        return {
            "value": None if self.value is None else float(self.value),
            "lower": float(self.lower),
            "upper": float(self.upper),
            "multiplicity": self.multiplicity,
            "theorem": self.theorem,
            "status": self.status,
            "target": self.target,
            "n_parameters": self.n_parameters,
        }

    def to_json(self) -> str:
        """The summary as JSON."""
        return to_json(self.summary())

    def _rows(self) -> list[tuple[str, str]]:
        """Name and value of each line shown."""
        if self.value is not None:
            rows = [
                ("learning coefficient", f"{self.value}, by {self.theorem}"),
                ("multiplicity", str(self.multiplicity)),
            ]
        else:
            rows = [("from", str(self.lower)), ("to", f"{self.upper}, by {self.theorem}")]
        target = [("target", self.target), ("model parameters", str(self.n_parameters))]
        return [*rows, ("status", self.status), *target]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        lines = (f"{name:<{width}}  {text}" for name, text in rows)
        return "\n  ".join(["LearningCoefficient", *lines])

    def _repr_html_(self) -> str:
        return html_table(self._rows())


def learning_coefficient(
    model: nn.Module,
    target: nn.Module | Mapping[str, Tensor] | Tensor | Sequence[float] | int,
) -> LearningCoefficient:
    r"""Learning coefficient of a target function in a model.

    With K(theta) the expected squared error at inputs that have a density, the volume of the
    parameters with K(theta) < epsilon, in any large enough ball, shrinks as

        epsilon^lambda (-log epsilon)^(multiplicity - 1).

    lambda is the learning coefficient, at most M / 2 and less in overparameterised models: the
    generalisation error of Bayesian learning is about lambda / n. It lies between half the
    optimistic and half the separation sample size, O / 2 <= lambda <= (M - max dim Q) / 2 with Q
    the set of parameters that express the target.

    Args:
        model: as for :func:`optimistic_sample_size`.
        target: as for :func:`optimistic_sample_size`.

    Returns:
        The coefficient with its multiplicity for linear networks of any depth, factorisations,
        diagonal networks, the toys, and wherever both ends agree; otherwise the interval.

    Raises:
        NotExpressibleError: if no parameters of the model give the target.
        InvalidInputError: if the target is of another kind or shape.
        UnsupportedModuleError: if nothing is known about the model.

    References:
        Watanabe, Algebraic Geometry and Statistical Learning Theory, 2009; Aoyagi, Neural Networks
        172, 2024, for deep linear networks; Aoyagi and Watanabe, Neural Networks 18(7), 2005, for
        two layers.

    Example:
        >>> from llr.models import MatrixFactorization, TwoLayerTanhMLP
        >>> known = learning_coefficient(MatrixFactorization(3, 3, width=3), 1)
        >>> str(known.value), known.multiplicity
        ('4', 1)
        >>> bounded = learning_coefficient(TwoLayerTanhMLP(2, width=5), 1)
        >>> str(bounded.lower), str(bounded.upper)
        ('2', '4')
    """
    separation = separation_sample_size(model, target)
    words, n_parameters = separation.target, separation.n_parameters
    product = linear_map(model, target)
    if product is not None:
        value, multiplicity = deep_linear_coefficient(product.sizes, product.rank)
        value += Fraction(product.output_bias * product.sizes[-1], 2)
        return LearningCoefficient(value, value, multiplicity, AOYAGI, "cited", words, n_parameters)
    if isinstance(model, (DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear)):
        optimistic_sample_size(model, target)  # refuses what is wrong
        assert not isinstance(target, int) or target >= 0
        value, multiplicity = _of_products(model, coefficient_target(model, target))
        return LearningCoefficient(
            value, value, multiplicity, PRODUCTS, "proved", words, n_parameters
        )
    lower = Fraction(optimistic_bound(model, target), 2)
    upper = Fraction(separation.upper, 2)
    meet = lower == upper
    return LearningCoefficient(
        lower=lower,
        upper=upper,
        multiplicity=1 if meet else None,
        theorem=MEETING if meet else ENDS,
        status="proved",
        target=words,
        n_parameters=n_parameters,
    )


def _of_products(model: VectorModel, coefficients: Sequence[Fraction]) -> tuple[Fraction, int]:
    """Coefficient and multiplicity of a sum of (product of own parameters - coefficient)^2.

    Each equation adds 1/2. A product of L parameters has multiplicity L where it is to be 0 and 1
    elsewhere; the excesses over 1 add up.
    """
    if isinstance(model, ToyLinear):
        return Fraction(3, 2), 1
    if isinstance(model, ToyNonlinear):
        return Fraction(3, 2), 1 if coefficients[2] else 2
    factors = 2 if isinstance(model, DifferenceOfSquares) else model.theta.shape[0]
    zeros = sum(1 for value in coefficients[1:] if not value)
    return Fraction(model.input_dim, 2), 1 + zeros * (factors - 1)
