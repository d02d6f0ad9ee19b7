"""
Does this data set pin down the target?
=======================================

Lemma 1: a target point can be recovered from a data set, to first order, exactly when the tangent
matrix on the data has the full model rank. ``check_llr`` runs this test and, where it fails, shows
the directions that the data cannot see.
"""

# %%
# The papers' target as a convolutional network with shared weights: seven samples suffice.
import matplotlib.pyplot as plt
import torch

import llr

student = llr.SharedTanhConv1D(5, width=10, kernel_size=3)
student.load_state_dict(llr.optimistic_sample_size(student, llr.PaperTeacherMLP()).witness)

x = torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
curve = llr.rank_curve(student, x)

few, enough = llr.check_llr(student, x[:6]), llr.check_llr(student, x[:7])
print(few)
print(enough)

# %%
# The empirical rank grows by one with each generic sample and saturates at the model rank.
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.plot(range(1, 13), curve.ranks, "o-")
axes.axhline(7, linestyle="--", color="0.5")
axes.set(xlabel="samples", ylabel="rank of the tangent matrix")

assert not few.recoverable
assert enough.recoverable
