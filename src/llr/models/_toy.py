"""Small models whose ranks can be read off by hand: two toys and two diagonal networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llr.errors import check_positive_int
from llr.seeds import drawing_from

__all__ = ["DiagonalNetwork", "DifferenceOfSquares", "ToyLinear", "ToyNonlinear"]


class _AbstractVectorModel(nn.Module):
    """A model of x in R^d with one parameter tensor, drawn uniformly from (-1, 1)."""

    def __init__(
        self,
        input_dim: int,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device | str | None,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.input_dim = check_positive_int("input_dim", input_dim)
        self.theta = nn.Parameter(torch.empty(shape, dtype=dtype))
        with drawing_from(generator):
            self.reset_parameters()
        self.to(device)

    def reset_parameters(self) -> None:
        """Uniform in (-1, 1)."""
        nn.init.uniform_(self.theta, -1.0, 1.0)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return (self.input_dim,)

    def extra_repr(self) -> str:
        """Sizes and number of parameters, for ``print(model)``."""
        return f"input_dim={self.input_dim}, parameters={self.theta.numel()}"


class ToyLinear(_AbstractVectorModel):
    """The linear toy f(x) = t0 + t1 x1 + t2 x2: model rank 3 everywhere.

    Args:
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 2.

    Example:
        >>> model = ToyLinear()
        >>> _ = model.theta.data.copy_(torch.tensor([1.0, 2.0, 3.0]))
        >>> model(torch.tensor([[1.0, 10.0]], dtype=torch.float64)).item()
        33.0
    """

    def __init__(
        self,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(2, (3,), dtype, device, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, 2)."""
        t0, t1, t2 = self.theta.unbind()
        return t0 + t1 * x[:, :1] + t2 * x[:, 1:]


class ToyNonlinear(_AbstractVectorModel):
    """The nonlinear toy f(x) = t0 + t1 x1 + t2 t3 x2: model rank 2 where t2 = t3 = 0, else 3.

    Args:
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025, Section 2.

    Example:
        >>> model = ToyNonlinear()
        >>> _ = model.theta.data.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        >>> model(torch.tensor([[1.0, 10.0]], dtype=torch.float64)).item()
        123.0
    """

    def __init__(
        self,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(2, (4,), dtype, device, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, 2)."""
        t0, t1, t2, t3 = self.theta.unbind()
        return t0 + t1 * x[:, :1] + t2 * t3 * x[:, 1:]


class DiagonalNetwork(_AbstractVectorModel):
    """Diagonal linear network f(x) = sum_{j=1..d} (prod_{l=1..L} a_lj) x_j.

    ``theta`` is a (L, d).

    Args:
        input_dim: d, number of inputs.
        depth: L, number of factors.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025.

    Example:
        >>> model = DiagonalNetwork(2, depth=3)
        >>> _ = model.theta.data.copy_(torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]))
        >>> model(torch.tensor([[1.0, 10.0]], dtype=torch.float64)).item()
        6.0
    """

    def __init__(
        self,
        input_dim: int,
        *,
        depth: int = 2,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.depth = check_positive_int("depth", depth)
        super().__init__(input_dim, (depth, input_dim), dtype, device, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, d)."""
        return x @ self.theta.prod(dim=0).unsqueeze(1)


class DifferenceOfSquares(_AbstractVectorModel):
    """Diagonal network f(x) = sum_{j=1..d} (a_j^2 - b_j^2) x_j.

    ``theta`` is (2, d), the rows a and b.

    Args:
        input_dim: d, number of inputs.
        dtype: of the parameters.
        device: of the parameters; they are drawn on the CPU and moved.
        generator: CPU generator for the initialisation; None: the global one.

    References:
        Zhang et al., J. Mach. Learn. 4(3), 2025.

    Example:
        >>> model = DifferenceOfSquares(2)
        >>> _ = model.theta.data.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
        >>> model(torch.tensor([[1.0, 10.0]], dtype=torch.float64)).item()
        -7.0
    """

    def __init__(
        self,
        input_dim: int,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(input_dim, (2, input_dim), dtype, device, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, 1) at inputs of shape (n, d)."""
        a, b = self.theta.unbind()
        return x @ (a**2 - b**2).unsqueeze(1)
