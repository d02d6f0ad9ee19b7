"""Networks and toy models, every one an ``nn.Module``, in float64 by default."""

from llr.models._activations import ACTIVATIONS, ActivationFunction, Pointwise, activation_of
from llr.models._build_model import MODEL_NAMES, ModelName, ModelSizes, build_model, scaled_width
from llr.models._convolution import NoShareConv1D, NoShareConv2D, SharedConv1D, SharedConv2D
from llr.models._factorization import MatrixFactorization, encode_entries
from llr.models._fully_connected import (
    MLP,
    Activation,
    PaperTeacherMLP,
    TwoLayerMLP,
    TwoLayerTanhMLP,
)
from llr.models._initialization import InitMethod, initialize
from llr.models._layered_network import Layer, LayeredNetwork, layered_network
from llr.models._locally_connected import LocallyConnected1D, LocallyConnected2D
from llr.models._tanh_convolution import (
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    SharedTanhConv1D,
    SharedTanhConv2D,
)
from llr.models._toy import DiagonalNetwork, DifferenceOfSquares, ToyLinear, ToyNonlinear
from llr.models._two_layer import (
    AbstractTwoLayer,
    AbstractTwoLayerTanh,
    TwoLayerStructure,
    TwoLayerWeights,
    two_layer_structure,
)

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "MODEL_NAMES",
    "AbstractTwoLayer",
    "AbstractTwoLayerTanh",
    "Activation",
    "ActivationFunction",
    "DiagonalNetwork",
    "DifferenceOfSquares",
    "InitMethod",
    "Layer",
    "LayeredNetwork",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MatrixFactorization",
    "ModelName",
    "ModelSizes",
    "NoShareConv1D",
    "NoShareConv2D",
    "NoShareTanhConv1D",
    "NoShareTanhConv2D",
    "PaperTeacherMLP",
    "Pointwise",
    "SharedConv1D",
    "SharedConv2D",
    "SharedTanhConv1D",
    "SharedTanhConv2D",
    "ToyLinear",
    "ToyNonlinear",
    "TwoLayerMLP",
    "TwoLayerStructure",
    "TwoLayerTanhMLP",
    "TwoLayerWeights",
    "activation_of",
    "build_model",
    "encode_entries",
    "initialize",
    "layered_network",
    "scaled_width",
    "two_layer_structure",
]
