"""The papers' 4 x 4 matrices for completion."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["PAPER_MATRICES", "MatrixName"]

MatrixName = Literal["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"]


def _matrix(rows: str) -> torch.Tensor:
    """A float64 matrix from rows separated by semicolons."""
    values = [[float(entry) for entry in row.split()] for row in rows.split(";")]
    return torch.tensor(values, dtype=torch.float64)


_ROWS: dict[MatrixName, str] = {
    "M1": "1 .3 .7 -.4; 2 .6 1.4 -.8; 4 1.2 2.8 -1.6; 7 2.1 4.9 -2.8",
    "M2": "4 .6 1.8 .8; 6 .9 2.7 1.2; 8 1.2 3.6 1.6; 18 2.7 8.1 3.6",
    "M3": "-1.8 2.4 7.7 -5.3; .4 1.8 5.4 -3.6; 3.2 1.8 4.8 -3; 6.6 2.4 5.9 -3.5",
    "M4": "7.6 3.3 19.8 -7.3; 7.6 2.1 10.7 -2.4; 8.8 1.8 7.6 -.2; 19.2 3.6 14.1 .9",
    "M5": "-.8 1.4 8.2 -3.3; .4 1.8 5.4 -3.6; 5.2 -.2 5.8 1; 7.6 1.4 6.4 -1.5",
    "M6": "8.5 9.3 22.5 -6.1; 8.2 6.1 12.5 -1.6; 11.5 19.8 15.7 3.4; 20.4 11.6 17.7 2.5",
    "M7": "3.6 -1.2 8.1 -3.5; 8.1 -3.5 3.6 -1.2; 9.1 -1.7 11.4 -.6; 11.4 -.6 9.1 -1.7",
    "M8": "12.1 17.3 24.1 -4.9; 16.3 24.1 16.1 1.1; 14.2 25.8 16.9 4.3; 22.2 15.6 18.5 3.1",
}

PAPER_MATRICES: dict[MatrixName, torch.Tensor] = {
    name: _matrix(rows) for name, rows in _ROWS.items()
}
"""M1..M8 of Zhang et al., J. Mach. Learn. 4(3), 2025, Fig. 2: ranks 1, 1, 2, 2, 3, 3, 4, 4.

M5 is printed equal to M3, of rank 2, where rank 3 is meant. M5 here is therefore our own: M3 plus
the outer product of (1, 0, 2, 1) and (1, -1, 0.5, 2), of rank 3.
"""
