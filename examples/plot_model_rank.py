"""
Width does not raise the number of samples needed
=================================================

The optimistic sample size of a target is the least model rank over all parameters that express it.
Here the papers' target is embedded in ever wider networks of three architectures: the parameter
count grows a hundredfold, the rank stays at 7, 15 and 21.
"""

# %%
# Three architectures at the papers' scales. ``witness`` holds parameters of the wide network that
# express the target at the least rank; ``model_rank`` measures the rank there, by singular values.
import matplotlib.pyplot as plt

import llr

target = llr.PaperTeacherMLP()
scales = [1, 3, 10, 34]
students = {
    "shared": lambda n: llr.SharedTanhConv1D(5, width=n, kernel_size=3),
    "unshared": lambda n: llr.NoShareTanhConv1D(5, width=n, kernel_size=3),
    "fully connected": lambda n: llr.TwoLayerTanhMLP(5, width=3 * n),
}

ranks: dict[str, list[int]] = {}
parameters: dict[str, list[int]] = {}
for name, build in students.items():
    ranks[name], parameters[name] = [], []
    for scale in scales:
        student = build(scale)
        size = llr.optimistic_sample_size(student, target)
        student.load_state_dict(size.witness)
        measured = llr.model_rank(student)
        assert measured.rank == llr.formal_rank(student) == size.value
        ranks[name].append(measured.rank)
        parameters[name].append(measured.n_params)

# %%
# Parameters grow with width; the rank at the target does not.
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name in students:
    (line,) = axes.loglog(scales, parameters[name], "--", alpha=0.6)
    axes.loglog(scales, ranks[name], "o-", color=line.get_color(), label=name)
axes.set(xlabel="scale N", ylabel="count", title="parameters (dashed) and model rank (solid)")
axes.legend()

assert ranks == {"shared": [7] * 4, "unshared": [15] * 4, "fully connected": [21] * 4}
