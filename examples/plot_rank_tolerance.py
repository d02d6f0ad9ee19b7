"""
What the rank tolerance means
=============================

A rank is a count of singular values, and a count needs a line. Eight spectra of tangent matrices
show where one can be drawn: a clear gap and none, noise of trained parameters, directions below
rounding, and what coarser arithmetic makes of a good matrix.
"""

# %%
# One drawing for all: singular values over the largest, and the lines that cut them.
import matplotlib.pyplot as plt
import torch

import llr
from llr.seeds import generator


def draw(axes, title, spectra, lines):
    """Spectra by label, each over its largest value, and horizontal lines by label."""
    for marker, (label, values) in zip("osd", spectra.items(), strict=False):
        relative = (values / values[0]).clamp(min=3e-18)  # zeros lie on the lower edge
        axes.semilogy(range(1, len(values) + 1), relative, marker, ms=4, label=label, alpha=0.8)
    for style, (label, height) in zip(("--", ":"), lines.items(), strict=False):
        axes.axhline(height, linestyle=style, color="0.35", label=label)
    axes.set(xlabel="i", ylabel=r"$\sigma_i\, /\, \sigma_1$", title=title, ylim=(2e-18, 4))
    axes.legend(fontsize="small")


def show(axes, title, result):
    """A measured spectrum and the textbook tolerance."""
    largest = max(result.n_rows, result.n_params)
    line = {"textbook tolerance": largest * torch.finfo(torch.float64).eps}
    draw(axes, title, {"singular values": result.singular_values}, line)


def normal(model, std):
    """The model with every parameter drawn from a normal distribution."""
    return llr.initialize(model, std=std, generator=generator(0, "init"))


# %%
# **A clear gap, and none.** At the papers' target, kept in a network of width 10, fourteen orders
# of magnitude part the 18 values that count from rounding. Ten neurons in one dimension overlap
# so much that the values fall through the tolerance without a gap; their rank is 30 in truth.
wide = llr.TwoLayerTanhMLP(5, width=10, hidden_bias=False)
exact = llr.embed(llr.PaperTeacherMLP(), wide, method="split", generator=generator(0, "noise"))
line = normal(llr.TwoLayerTanhMLP(1, width=10), std=1.0)
gap, none = llr.model_rank(wide, params=exact), llr.model_rank(line)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
show(left, "papers' target: 18, clear", gap)
show(right, "10 neurons, d = 1: ambiguous, 30 in truth", none)

assert (gap.rank, gap.verdict) == (18, "clear")
assert (none.verdict, llr.formal_rank(line)) == ("ambiguous", 30)

# %%
# **Trained parameters.** The same target with every parameter off by a little. The textbook line
# counts the error as rank. ``param_error`` says how large it is; what it explains is not counted.
results = {}
for error in (1e-4, 1e-6, 1e-8):
    draws = generator(0, "init")
    params = {
        name: value + error * torch.randn(value.shape, generator=draws, dtype=value.dtype)
        for name, value in exact.items()
    }
    results[error] = llr.model_rank(wide, params=params, param_error=error)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
near = results[1e-6]
show(left, f"off by 1e-6: textbook {near.textbook_rank}, with param_error {near.rank}", near)
floor = near.tolerance / float(near.singular_values[0])
left.axhline(floor, linestyle=":", color="0.35", label="noise floor of param_error")
left.legend(fontsize="small")
spectra = {f"off by {error:.0e}": result.singular_values for error, result in results.items()}
draw(right, "the gap ends at the error", spectra, {})

assert [result.rank for result in results.values()] == [18, 18, 18]
assert min(result.textbook_rank for result in results.values()) > 40

# %%
# **Below rounding.** At the papers' initialisation (standard deviation 1e-10) a wide gap follows
# value 6, and the rank is 21 all the same: the other directions are smaller than the rounding of
# the largest. Two neurons 2^-16 apart have rank 8 and show 7. No tolerance helps here.
tiny = normal(llr.TwoLayerTanhMLP(5, width=3), std=1e-10)
twins = normal(llr.TwoLayerTanhMLP(2, width=2), std=1.0).double()
with torch.no_grad():
    for weight in (twins.hidden.weight, twins.hidden.bias):
        weight[1] = weight[0] * (1 + 2.0**-16)
below, beside = llr.model_rank(tiny), llr.model_rank(twins)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
show(left, "standard deviation 1e-10: 6 seen of 21", below)
show(right, "two neurons 2^-16 apart: 7 seen of 8", beside)

assert (below.rank, llr.formal_rank(tiny)) == (6, 21)
assert (beside.textbook_rank, llr.formal_rank(twins)) == (7, 8)

# %%
# **Coarser arithmetic.** Six neurons in two dimensions have rank 24. In float32 three directions
# fall below the tolerance. The Gram matrix squares the values, and its rounding with them: it loses
# one in float64 and more than half in float32.
plane = normal(llr.TwoLayerTanhMLP(2, width=6), std=0.3)
x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
J = llr.tangent_matrix(plane, x)
half = J.float()
ranks = [int(torch.linalg.matrix_rank(matrix)) for matrix in (J, half, J @ J.T, half @ half.T)]

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for axes, matrix, title in (
    (left, J, f"float64: J {ranks[0]}, J J^T {ranks[2]}"),
    (right, half, f"float32: J {ranks[1]}, J J^T {ranks[3]}"),
):
    gram = torch.linalg.svdvals(matrix @ matrix.T)[:30].sqrt()
    cut = 200 * torch.finfo(matrix.dtype).eps
    spectra = {"J": torch.linalg.svdvals(matrix), "J J^T, square roots": gram}
    draw(axes, title, spectra, {"tolerance of J": cut, "tolerance of J J^T": cut**0.5})
    axes.legend(fontsize="small", loc=(0.02, 0.27))

assert ranks[0] == llr.formal_rank(plane) == 24
assert max(ranks[1:]) < 24
