# The public names by package; ``__init__.py`` loads each name from here on first use.
from .certify import certify_curve, certify_rank, certify_size, check_certificate
from .config import load_config
from .data import make_dataset, make_target
from .diagnostics import condense
from .models import (
    MLP,
    DiagonalNetwork,
    DifferenceOfSquares,
    LocallyConnected1D,
    LocallyConnected2D,
    MatrixFactorization,
    NoShareConv1D,
    NoShareConv2D,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    PaperTeacherMLP,
    SharedConv1D,
    SharedConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
    ToyLinear,
    ToyNonlinear,
    TwoLayerMLP,
    TwoLayerTanhMLP,
    build_model,
    initialize,
)
from .recovery import check_llr
from .sweep import load_results, run_sweep
from .tables import rank_table
from .tangent import TangentOperator, model_rank, rank_curve, tangent_matrix
from .theory import (
    embed,
    formal_rank,
    intrinsic_form,
    learning_coefficient,
    optimistic_sample_size,
    separation_sample_size,
)
from .training import Adam, GradientDescent, GradientFlow, train, train_batch

__version__: str

__all__ = [
    # theory: exact integers
    "formal_rank",
    "optimistic_sample_size",
    "separation_sample_size",
    "learning_coefficient",
    "intrinsic_form",
    "embed",
    "rank_table",
    # tangent space: measured ranks
    "model_rank",
    "rank_curve",
    "tangent_matrix",
    "TangentOperator",
    # proof
    "certify_rank",
    "certify_curve",
    "certify_size",
    "check_certificate",
    # recovery
    "check_llr",
    # a trained network of your own
    "condense",
    # training
    "train",
    "train_batch",
    "GradientDescent",
    "Adam",
    "GradientFlow",
    # sweeps
    "load_config",
    "run_sweep",
    "load_results",
    # data
    "make_dataset",
    "make_target",
    # models
    "TwoLayerMLP",
    "SharedConv1D",
    "SharedConv2D",
    "NoShareConv1D",
    "NoShareConv2D",
    "TwoLayerTanhMLP",
    "SharedTanhConv1D",
    "SharedTanhConv2D",
    "NoShareTanhConv1D",
    "NoShareTanhConv2D",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MLP",
    "MatrixFactorization",
    "DiagonalNetwork",
    "DifferenceOfSquares",
    "ToyLinear",
    "ToyNonlinear",
    "PaperTeacherMLP",
    "build_model",
    "initialize",
]
