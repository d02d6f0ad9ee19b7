"""Tensor vocabulary: one alias for each kind of tensor, and the symbol table.

=========  =============================================================================
symbol     meaning
=========  =============================================================================
theta      parameters of a model, a vector of length M (``named_parameters`` order)
M          number of parameters
n          number of samples
c          number of outputs of the model
d          input dimension (2-d inputs: side length)
m          width: number of hidden neurons of a fully connected network
K          number of kernels of a convolutional network
k          intrinsic width of a target
s          kernel size (2-d: side length)
p          number of kernel positions, d - s + 1 (2-d: its square)
L          depth: number of layers of weights
J          tangent matrix, shape (n * c, M): row (sample, output), column (parameter);
           the transpose of the papers' gradient matrix
r          model rank: dimension of the tangent function space
O          optimistic sample size: least model rank over all parameters of the target
=========  =============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

    Inputs: TypeAlias = Float[Tensor, "n *input"]
    Outputs: TypeAlias = Float[Tensor, "n c"]
    TangentMatrix: TypeAlias = Float[Tensor, "rows M"]
else:
    try:
        from jaxtyping import Float
    except ImportError:  # shapes are checked where jaxtyping is installed: in the tests
        Inputs = Outputs = TangentMatrix = Tensor
    else:
        Inputs = Float[Tensor, "n *input"]
        Outputs = Float[Tensor, "n c"]
        TangentMatrix = Float[Tensor, "rows M"]

Parameters: TypeAlias = dict[str, Tensor]
"""Parameters by name, keyed as ``module.named_parameters()``; stacked runs lead with a run axis."""

__all__ = ["Inputs", "Outputs", "Parameters", "TangentMatrix"]
