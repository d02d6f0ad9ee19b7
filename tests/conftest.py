"""Settings shared by all tests."""

import torch
from hypothesis import settings

# Two processes share two cores under pytest-xdist; a thread pool in each only gets in the way.
torch.set_num_threads(1)

# Compilation and a busy machine make single examples slow now and then; that is no failure.
settings.register_profile("llr", deadline=None, print_blob=True)
settings.load_profile("llr")
