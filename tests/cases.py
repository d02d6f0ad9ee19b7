"""Named cases: a factory for a module at a fixed parameter point, and its exact model rank.

One line registers a case, and every property test runs on it. Each rank is worked out by hand
(the sentence in ``source``) and never by the code under test. ``visible`` is False where float64
cannot resolve the smallest singular values of the tangent matrix, so that only exact methods, or
more digits, can be held to the integer. ``exact`` says whether ``llr.formal_rank`` covers the
family; the others (deep, or not tanh) are known at the given point by the argument in ``source``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor, nn

from llr.models import (
    MLP,
    AbstractTwoLayerTanh,
    DiagonalNetwork,
    DifferenceOfSquares,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    ToyLinear,
    ToyNonlinear,
    TwoLayerTanhMLP,
    TwoLayerWeights,
    initialize,
)
from llr.seeds import generator


@dataclass(frozen=True)
class Case:
    """A module at a parameter point whose model rank is known."""

    name: str
    build: Callable[[], nn.Module]
    rank: int
    source: str
    visible: bool = True
    exact: bool = True

    def __repr__(self) -> str:
        return self.name


CASES: dict[str, Case] = {}

PAPER_KERNEL = [0.6, 0.8, 1.0]
BIASES = [(False, False), (True, False), (False, True), (True, True)]
SCALES = (1, 3, 10, 34, 100)

# The papers' target in d = 5, s = 3: rank by (architecture, hidden bias, output bias).
PAPER_RANKS: dict[tuple[str, bool, bool], int] = {
    ("cnn_shared", False, False): 6,
    ("cnn_shared", True, False): 7,
    ("cnn_shared", False, True): 7,
    ("cnn_shared", True, True): 8,
    ("cnn_noshare", False, False): 12,
    ("cnn_noshare", True, False): 15,
    ("cnn_noshare", False, True): 13,
    ("cnn_noshare", True, True): 16,
    ("mlp", False, False): 18,
    ("mlp", True, False): 21,
    ("mlp", False, True): 19,
    ("mlp", True, True): 22,
}


def register(
    name: str,
    build: Callable[[], nn.Module],
    rank: int,
    source: str,
    *,
    visible: bool = True,
    exact: bool = True,
) -> None:
    """Add a case; names are unique."""
    if name in CASES:
        raise ValueError(f"case {name!r} is registered twice")
    CASES[name] = Case(name, build, rank, source, visible, exact)


def generic(model: nn.Module, seed: int = 0, std: float = 1.0) -> nn.Module:
    """The module with every parameter drawn from N(0, std^2)."""
    return initialize(model, std=std, generator=generator(seed, "target"))


def set_weights(
    model: AbstractTwoLayerTanh,
    kernels: Sequence[object],
    output: Sequence[object],
    bias: Sequence[object] | None = None,
    output_bias: float = 0.0,
) -> AbstractTwoLayerTanh:
    """The model with its first channels set to the given ones and all others to zero.

    ``kernels`` (C', Q, s) or (C', s), ``bias`` (C', Q) or (C',), ``output`` (C', P) or (C',).
    """
    structure = model.structure
    c, p, q = structure.channels, structure.positions, structure.kernels_per_channel

    def filled(values: Sequence[object], *shape: int) -> Tensor:
        out = torch.zeros(c, *shape, dtype=torch.float64)
        if values:
            out[: len(values)] = torch.tensor(values, dtype=torch.float64).reshape(-1, *shape)
        return out

    weights = TwoLayerWeights(
        kernels=filled(kernels, q, structure.window_size),
        kernel_bias=filled([] if bias is None else bias, q),
        output=filled(output, p),
        output_bias=torch.tensor(output_bias, dtype=torch.float64),
    )
    model.load_state_dict(structure.pack(weights))
    return model


def paper_target(
    architecture: str, scale: int, hidden_bias: bool, output_bias: bool
) -> AbstractTwoLayerTanh:
    """The papers' target in the student "Nx", every spare unit null."""
    biases = {"hidden_bias": hidden_bias, "output_bias": output_bias}
    if architecture == "cnn_shared":
        model = SharedTanhConv1D(5, width=scale, kernel_size=3, **biases)
        return set_weights(model, [PAPER_KERNEL], [[1.0, 1.0, 1.0]])
    if architecture == "cnn_noshare":
        model = NoShareTanhConv1D(5, width=scale, kernel_size=3, **biases)
        return set_weights(model, [[PAPER_KERNEL] * 3], [[1.0, 1.0, 1.0]])
    model = TwoLayerTanhMLP(5, width=3 * scale, **biases)
    rows = [[0.0] * i + PAPER_KERNEL + [0.0] * (2 - i) for i in range(3)]
    return set_weights(model, rows, [1.0, 1.0, 1.0])


# --- The papers' target ---------------------------------------------------------------------
for (_arch, _hb, _ob), _rank in PAPER_RANKS.items():
    for _scale in (1, 3):
        register(
            f"paper-{_arch}-{_scale}x-hidden{_hb:d}-output{_ob:d}",
            lambda a=_arch, n=_scale, h=_hb, o=_ob: paper_target(a, n, h, o),
            _rank,
            "JMLR 26, Theorems 4 to 6 for Eq. (8); null units add nothing",
        )

# --- Generic points: every parameter counts once -------------------------------------------
for _d, _m, (_hb, _ob) in product((2, 3, 5), (1, 2, 4), BIASES):
    register(
        f"generic-mlp-d{_d}-m{_m}-hidden{_hb:d}-output{_ob:d}",
        lambda d=_d, m=_m, h=_hb, o=_ob: generic(
            TwoLayerTanhMLP(d, width=m, hidden_bias=h, output_bias=o)
        ),
        _m * (_d + 1 + _hb) + _ob,
        "JMLR 26, Theorem 4: k (d + 1), k more with hidden bias, 1 more with output bias",
    )
for _d, _s, _k, (_hb, _ob) in product((4, 5), (2, 3), (1, 2), BIASES):
    _p = _d - _s + 1
    register(
        f"generic-shared-d{_d}-s{_s}-k{_k}-hidden{_hb:d}-output{_ob:d}",
        lambda d=_d, s=_s, k=_k, h=_hb, o=_ob: generic(
            SharedTanhConv1D(d, width=k, kernel_size=s, hidden_bias=h, output_bias=o)
        ),
        _k * (_s + _p + _hb) + _ob,
        "JMLR 26, Theorem 5 in 1-d: K (s + p), K more with hidden bias, 1 with output bias",
    )
    register(
        f"generic-noshare-d{_d}-s{_s}-k{_k}-hidden{_hb:d}-output{_ob:d}",
        lambda d=_d, s=_s, k=_k, h=_hb, o=_ob: generic(
            NoShareTanhConv1D(d, width=k, kernel_size=s, hidden_bias=h, output_bias=o)
        ),
        _k * _p * (_s + 1 + _hb) + _ob,
        "JMLR 26, Theorem 6 in 1-d: K p (s + 1), K p more with hidden bias, 1 with output bias",
    )
for _d, _s, (_hb, _ob) in product((3, 4), (2,), BIASES):
    _p = (_d - _s + 1) ** 2
    register(
        f"generic-shared2d-d{_d}-s{_s}-hidden{_hb:d}-output{_ob:d}",
        lambda d=_d, s=_s, h=_hb, o=_ob: generic(
            SharedTanhConv2D(d, width=2, kernel_size=s, hidden_bias=h, output_bias=o)
        ),
        2 * (_s**2 + _p + _hb) + _ob,
        "JMLR 26, Theorem 5: K (s^2 + (d + 1 - s)^2)",
    )
    register(
        f"generic-noshare2d-d{_d}-s{_s}-hidden{_hb:d}-output{_ob:d}",
        lambda d=_d, s=_s, h=_hb, o=_ob: generic(
            NoShareTanhConv2D(d, width=1, kernel_size=s, hidden_bias=h, output_bias=o)
        ),
        _p * (_s**2 + 1 + _hb) + _ob,
        "JMLR 26, Theorem 6: K (s^2 + 1) (d + 1 - s)^2",
    )


# --- Degenerate points, fully connected -----------------------------------------------------
def _mlp(
    d: int,
    rows: Sequence[Sequence[float]],
    output: Sequence[float],
    bias: Sequence[float] | None = None,
    output_bias: bool = False,
) -> Callable[[], nn.Module]:
    return lambda: set_weights(
        TwoLayerTanhMLP(d, width=len(rows), hidden_bias=bias is not None, output_bias=output_bias),
        rows,
        output,
        bias,
    )


_COR7 = "JMLR 26, Cor. 7: r = m_w + m_a d"
register("mlp-equal-units", _mlp(2, [[1, 2], [1, 2]], [1, 3]), 3, f"{_COR7} = 1 + 2")
register("mlp-opposite-units", _mlp(2, [[1, 2], [-1, -2]], [1, 3]), 3, f"{_COR7} = 1 + 2")
register(
    "mlp-units-that-cancel",
    _mlp(2, [[1, 2], [1, 2]], [1, -1]),
    3,
    f"{_COR7} = 1 + 2: the function is 0, the tangent space is not",
)
register("mlp-zero-out", _mlp(2, [[1, 2], [2, 1]], [1, 0]), 4, f"{_COR7} = 2 + 1 * 2")
register("mlp-zero-in", _mlp(2, [[1, 2], [0, 0]], [1, 5]), 5, f"{_COR7} = 1 + (1 + 1) * 2")
register("mlp-null", _mlp(2, [[1, 2], [0, 0]], [1, 0]), 3, f"{_COR7} = 1 + 1 * 2")
register("mlp-all-zero", _mlp(2, [[0, 0], [0, 0]], [0, 0]), 0, f"{_COR7} = 0")
register("mlp-collinear", _mlp(2, [[1, 2], [2, 4]], [1, 1]), 6, f"{_COR7} = 2 + 2 * 2")
register(
    "mlp-equal-weights-other-bias",
    _mlp(2, [[1, 2], [1, 2]], [1, 1], [0.5, -0.5]),
    8,
    "(w, b) and (w, -b) differ, also up to a common sign: 2 (d + 2)",
)
register(
    "mlp-opposite-with-bias",
    _mlp(2, [[1, 2], [-1, -2]], [1, 1], [0.5, -0.5]),
    4,
    "equal up to a common sign: one neuron, d + 2",
)
register(
    "mlp-flipped-weights-same-bias",
    _mlp(2, [[1, 2], [-1, -2]], [1, 1], [0.5, 0.5]),
    8,
    "only w flips: two neurons, 2 (d + 2)",
)
register(
    "mlp-constant-unit",
    _mlp(2, [[1, 2], [0, 0]], [1, 3], [0.5, 0.25]),
    7,
    "d + 2 and, for w = 0 with b, a != 0, the functions 1, x_1, x_2",
)
register(
    "mlp-constant-unit-output-bias",
    _mlp(2, [[1, 2], [0, 0]], [1, 3], [0.5, 0.25], output_bias=True),
    7,
    "as without output bias: 1 is already there",
)
register(
    "mlp-zero-in-zero-bias",
    _mlp(2, [[1, 2], [0, 0]], [1, 3], [0.5, 0.0]),
    7,
    "w = b = 0, a != 0: d/db = a gives 1, d/dw gives x_1, x_2",
)
register(
    "mlp-zero-in-zero-out-with-bias",
    _mlp(2, [[1, 2], [0, 0]], [1, 0], [0.5, 0.25]),
    5,
    "w = 0, a = 0, b != 0: d/da = tanh(b) gives 1, nothing else",
)
register(
    "mlp-two-constant-units",
    _mlp(2, [[1, 2], [0, 0], [0, 0]], [1, 3, 1], [0.5, 0.25, 0.75]),
    7,
    "1, x_1, x_2 once, whatever the biases",
)
register(
    "mlp-saturated-bias",
    _mlp(2, [[1, 2], [0, 0]], [1, 3], [0.5, 30.0]),
    7,
    "tanh'(30) is 4e-26, not 0: exact arithmetic keeps x_1, x_2, float64 loses them",
    visible=False,
)
register(
    "mlp-target-in-width-10",
    _mlp(
        5,
        [[0, 1, 2, 0.5, 1], [1, 0, -1, 1, 0], [0.3, 1, 0, 0, 2]] + [[0, 1, 2, 0.5, 1]] * 7,
        [0.25, 1, -2] + [0.75 / 7] * 7,
    ),
    18,
    "3 neurons, one of them split eightfold: 3 (d + 1)",
)


# --- Degenerate points, convolutions --------------------------------------------------------
def _shared(
    d: int,
    kernels: Sequence[Sequence[float]],
    output: Sequence[Sequence[float]],
    bias: Sequence[float] | None = None,
    output_bias: bool = False,
) -> Callable[[], nn.Module]:
    return lambda: set_weights(
        SharedTanhConv1D(
            d,
            width=len(kernels),
            kernel_size=len(kernels[0]),
            hidden_bias=bias is not None,
            output_bias=output_bias,
        ),
        kernels,
        output,
        bias,
    )


def _unshared(
    d: int,
    kernels: Sequence[Sequence[Sequence[float]]],
    output: Sequence[Sequence[float]],
    bias: Sequence[Sequence[float]] | None = None,
    output_bias: bool = False,
) -> Callable[[], nn.Module]:
    return lambda: set_weights(
        NoShareTanhConv1D(
            d,
            width=len(kernels),
            kernel_size=len(kernels[0][0]),
            hidden_bias=bias is not None,
            output_bias=output_bias,
        ),
        kernels,
        output,
        bias,
    )


register(
    "shared-kernels-that-share-neurons",
    _shared(5, [[1, 2, 0], [0, 1, 2]], [[1, 1, 1], [1, 1, 1]]),
    10,
    "4 neurons (1, 2) at positions 1..4; directions per relative coordinate -1, 0, 1, 2: "
    "1 + 2 + 2 + 1. Theorem 5 as printed says 2 (3 + 3) = 12",
)
register(
    "shared-kernels-that-share-neurons-biases",
    _shared(5, [[1, 2, 0], [0, 1, 2]], [[1, 1, 1], [1, 1, 1]], [0.5, 0.5], output_bias=True),
    13,
    "10, two independent bias columns, 1",
)
register(
    "shared-coordinatewise",
    _shared(
        5,
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 2, 3], [4, 5, -6], [7, -8, 9]],
    ),
    14,
    "5 neurons tanh(x_i); directions per relative coordinate -2..2: 1 + 2 + 3 + 2 + 1",
)
register(
    "shared-opposite-kernels",
    _shared(5, [[1, 2, 3], [-1, -2, -3]], [[1, 1, 1], [1, 2, 3]]),
    9,
    "3 neurons and, the output vectors being independent, 2 s directions",
)
register(
    "shared-proportional-outputs",
    _shared(5, [[1, 2, 3], [1, 2, 3]], [[1, 2, 3], [2, 4, 6]]),
    6,
    "3 neurons and s directions: the second kernel's are multiples of the first's",
)
register(
    "shared-zero-out",
    _shared(5, [[1, 2, 3], [3, 2, 2]], [[1, 1, 1], [0, 0, 0]]),
    9,
    "6 neurons, s directions of the first kernel",
)
register(
    "shared-one-zero-output-weight",
    _shared(5, [[1, 2, 3]], [[1, 0, 1]], [0.5]),
    7,
    "a zero output weight at one position changes nothing: s + p + 1",
)
register(
    "shared-zero-kernel-with-bias",
    _shared(5, [[1, 2, 3], [0, 0, 0]], [[1, 1, 1], [1, 0, 0]], [0.5, 0.25]),
    11,
    "7, then 1 and x_1, x_2, x_3: the kernel's directions are shifts of its output weights",
)
register(
    "shared-zero-kernel-outputs-that-cancel",
    _shared(5, [[0, 0, 0]], [[1, -1, 0]], [0.0]),
    3,
    "b = 0: d/da = 0, d/db = sum of a = 0, d/dw_t = x_t - x_(t+1)",
)
register(
    "shared-two-zero-kernels",
    _shared(5, [[0, 0, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 2]]),
    5,
    "x_1, x_2, x_3 and x_3, x_4, x_5",
)
register(
    "unshared-neuron-in-two-windows",
    _unshared(5, [[[0, 1, 2], [1, 2, 0], [1, 1, 1]]], [[1, 1, 1]]),
    9,
    "2 neurons; (1, 2) at x_2, x_3 has the union of two windows, 4 directions, the other 3. "
    "Prop. 5 as printed says m_a s + m_K = 2 * 3 + 2 = 8",
)
register(
    "unshared-neuron-in-two-windows-one-silent",
    _unshared(5, [[[0, 1, 2], [1, 2, 0], [1, 1, 1]]], [[1, 0, 1]]),
    8,
    "2 neurons; only the window with a != 0 gives directions",
)
register(
    "unshared-kernels-shifts-of-one-another",
    _unshared(
        5,
        [[[1, 2, 0]] * 3, [[0, 1, 2]] * 3],
        [[1, 1, 1], [1, 1, 1]],
    ),
    18,
    "4 neurons (1, 2) at positions 1..4; unions of windows 3 + 4 + 4 + 3",
)
register(
    "unshared-constant-units",
    _unshared(
        5,
        [[[0, 0, 0], [1, 2, 3], [0, 0, 0]]],
        [[1, 1, 2]],
        [[0.5, 0.5, 0.0]],
        output_bias=True,
    ),
    11,
    "1 neuron: 1 + 1 + 3; w = 0 with a != 0 in windows 1 and 3: x_1..x_5; 1",
)


def _separable_2d(shared: bool) -> nn.Module:
    """A single pixel as kernel, seen from two corners of the kernel."""
    kernels = [[0.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]
    if shared:
        return set_weights(
            SharedTanhConv2D(3, width=2, kernel_size=2, hidden_bias=False),
            kernels,
            [[1, 2, 3, 4], [1, -1, 2, 5]],
        )
    return set_weights(
        NoShareTanhConv2D(3, width=2, kernel_size=2, hidden_bias=False),
        [[kernel] * 4 for kernel in kernels],
        [[1, 2, 3, 4], [1, -1, 2, 5]],
    )


register(
    "shared2d-kernels-that-share-neurons",
    lambda: _separable_2d(True),
    14,
    "6 pixels; relative columns -1, 0, 1 and rows 0, 1: 2 (1 + 2 + 1)",
)
register(
    "unshared2d-kernels-that-share-neurons",
    lambda: _separable_2d(False),
    34,
    "6 pixels; middle column (2 of them) sees two windows, 6 coordinates each, the other "
    "column ones 4 each: 6 + 2 * 6 + 4 * 4",
)

# --- Where float64 sees less than there is --------------------------------------------------
register(
    "mlp-ten-neurons-in-one-dimension",
    lambda: generic(TwoLayerTanhMLP(1, width=10)),
    30,
    "JMLR 26, Theorem 4 with hidden bias: k (d + 2); no gap in the spectrum",
    visible=False,
)
register(
    "mlp-papers-initialisation",
    lambda: generic(TwoLayerTanhMLP(5, width=3), std=1e-10),
    21,
    "JMLR 26, Fig. 3: k (d + 2) at any scale; float64 sees 1, x_1..x_5",
    visible=False,
)
register(
    "mlp-neurons-a-hair-apart",
    _mlp(3, [[1, 0.5, 2], [1 + 2**-16, 0.5, 2]], [1, 1]),
    8,
    "two neurons 2^-16 apart are two: 2 (d + 1); float64 sees 7",
    visible=False,
)

# --- Matrix factorisation, diagonal networks, toys ------------------------------------------


def _factors(d1: int, d2: int, q: int, left: int, right: int) -> nn.Module:
    """Generic factors of the given ranks."""
    model = generic(MatrixFactorization(d1, d2, width=q))
    draw = generator(1, "target")

    def of_rank(rows: int, columns: int, rank: int) -> Tensor:
        # Small integers: products are exact, so the rank is what it says.
        tall = torch.randint(-9, 10, (rows, rank), generator=draw).double()
        wide = torch.randint(-9, 10, (rank, columns), generator=draw).double()
        return tall @ wide

    model.load_state_dict({"left": of_rank(d1, q, left), "right": of_rank(q, d2, right)})
    return model


for _d1, _d2, _q, _ra, _rb in [
    (4, 4, 4, 1, 1),
    (4, 4, 4, 2, 2),
    (4, 4, 4, 3, 3),
    (4, 4, 4, 4, 4),
    (4, 4, 4, 1, 3),
    (3, 5, 2, 2, 1),
    (3, 5, 2, 0, 2),
    (2, 6, 4, 2, 4),
]:
    register(
        f"factorization-{_d1}x{_d2}-q{_q}-ranks{_ra}{_rb}",
        lambda d1=_d1, d2=_d2, q=_q, a=_ra, b=_rb: _factors(d1, d2, q, a, b),
        _d1 * _rb + _d2 * _ra - _ra * _rb,
        "J. Mach. Learn. 4(3): d1 rank(B) + d2 rank(A) - rank(A) rank(B)",
    )


def _theta(model: nn.Module, theta: Sequence[object]) -> nn.Module:
    model.load_state_dict({"theta": torch.tensor(theta, dtype=torch.float64)})
    return model


register("toy-linear", lambda: _theta(ToyLinear(), [0, 0, 0]), 3, "1, x_1, x_2")
register("toy-nonlinear", lambda: _theta(ToyNonlinear(), [1, 2, 3, 4]), 3, "1, x_1, x_2")
register("toy-nonlinear-t2", lambda: _theta(ToyNonlinear(), [1, 2, 3, 0]), 3, "1, x_1, x_2")
register("toy-nonlinear-degenerate", lambda: _theta(ToyNonlinear(), [1, 2, 0, 0]), 2, "1, x_1")
register(
    "diagonal-depth2",
    lambda: _theta(DiagonalNetwork(4, depth=2), [[1, 0, 2, 0], [3, 0, 0, 5]]),
    3,
    "x_j appears where at most one factor is 0: j = 1, 3, 4",
)
register(
    "diagonal-depth3",
    lambda: _theta(DiagonalNetwork(3, depth=3), [[1, 0, 0], [3, 0, 1], [2, 2, 4]]),
    2,
    "x_j appears where at most one factor is 0: j = 1, 3",
)
register(
    "diagonal-depth1",
    lambda: _theta(DiagonalNetwork(3, depth=1), [[1, 0, 0]]),
    3,
    "a linear model: x_1, x_2, x_3",
)
register(
    "difference-of-squares",
    lambda: _theta(DifferenceOfSquares(4), [[1, 0, 1, 0], [0, 0, 1, 2]]),
    3,
    "x_j appears where a_j or b_j is not 0: j = 1, 3, 4",
)


# --- Linear networks ------------------------------------------------------------------------
def _linear_mlp(
    d: int, widths: list[int], c: int, hidden_bias: bool = False, output_bias: bool = False
) -> nn.Module:
    return generic(
        MLP(
            d,
            widths=widths,
            output_dim=c,
            activation="identity",
            hidden_bias=hidden_bias,
            output_bias=output_bias,
        )
    )


register("linear", lambda: generic(nn.Linear(4, 2, dtype=torch.float64)), 10, "Cor. 3: r = M")
for _name, _widths in [("two", [2]), ("three", [3, 2]), ("four", [4, 2, 5])]:
    register(
        f"linear-network-{_name}-layers",
        lambda w=_widths: _linear_mlp(4, w, 3),
        2 * (4 + 3 - 2),
        "rho (d_in + d_out - rho) at generic points, rho the least width",
    )
    register(
        f"linear-network-{_name}-layers-output-bias",
        lambda w=_widths: _linear_mlp(4, w, 3, output_bias=True),
        2 * (4 + 3 - 2) + 3,
        "rho (d_in + d_out - rho) and a constant for each output",
    )
register(
    "linear-network-hidden-bias",
    lambda: _linear_mlp(4, [2], 3, hidden_bias=True),
    2 * (5 + 3 - 2),
    "a hidden bias is one more input: rho (d_in + 1 + d_out - rho)",
)

# --- Known at generic points only: deep, or not tanh ----------------------------------------
for _d, _widths in [(3, [3, 2]), (4, [4, 3])]:
    for _hb, _ob in BIASES:
        _sizes = [_d, *_widths, 1]
        _count = sum(a * b for a, b in pairwise(_sizes))
        _count += sum(_widths) * _hb + _ob
        register(
            f"deep-tanh-d{_d}-{'-'.join(map(str, _widths))}-hidden{_hb:d}-output{_ob:d}",
            lambda d=_d, w=_widths, h=_hb, o=_ob: generic(
                MLP(d, widths=w, hidden_bias=h, output_bias=o)
            ),
            _count,
            "generic multi-layer tanh networks: every parameter",
        )
register(
    "relu-two-layer",
    lambda: generic(MLP(3, widths=[4], activation="relu")),
    4 * (3 + 1 + 1) - 4,
    "generic ReLU networks: parameters minus hidden neurons (positive rescaling)",
    exact=False,
)
register(
    "sigmoid-two-layer",
    lambda: generic(MLP(3, widths=[3], activation="sigmoid")),
    3 * (3 + 2),
    "generic: every parameter",
)


def _sigmoid_with_null_unit() -> nn.Module:
    model = MLP(3, widths=[3], activation="sigmoid")
    generic(model)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state["layers.0.weight"][2] = 0.0
    state["layers.0.bias"][2] = 0.0
    state["layers.1.weight"][:, 2] = 0.0
    model.load_state_dict(state)
    return model


register(
    "sigmoid-null-unit",
    _sigmoid_with_null_unit,
    2 * (3 + 2) + 1,
    "the null unit's d/da is the constant sigmoid(0) = 1/2: one more",
)

assert all(math.isfinite(case.rank) for case in CASES.values())
EXACT_CASES = [case for case in CASES.values() if case.exact]
VISIBLE_CASES = [case for case in CASES.values() if case.visible]
