"""A network read as a list of layers computes what its module computes."""

import numpy as np
import pytest
import torch
from torch import nn

from llr.models import (
    ACTIVATIONS,
    MLP,
    LayeredNetwork,
    LocallyConnected1D,
    LocallyConnected2D,
    MatrixFactorization,
    NoShareTanhConv1D,
    NoShareTanhConv2D,
    Pointwise,
    SharedTanhConv1D,
    SharedTanhConv2D,
    TwoLayerTanhMLP,
    layered_network,
)


def evaluated(network: LayeredNetwork, params: dict, x: torch.Tensor) -> torch.Tensor:
    """Outputs (n, c), sum by sum as the definition says."""
    flat = torch.cat([x.flatten(1), x.new_zeros(len(x), 1)], dim=1)
    h = flat[:, network.inputs]  # (n, C, positions); index -1 is the zero at the end
    for layer in network.layers:
        padded = torch.cat([h, h.new_zeros(*h.shape[:2], 1)], dim=2)
        seen = padded[:, :, layer.seen]  # (n, C, P, T)
        assert h.shape[1:] == (layer.channels_in, layer.positions_in)
        if layer.weight is None:
            z = seen.sum(3) / torch.from_numpy(layer.divisor)
        else:
            taps = layer.seen.shape[1]
            shape = (layer.channels, layer.channels_in, taps)
            weight = params[layer.weight]
            if layer.shared:
                z = torch.einsum("ncpt,oct->nop", seen, weight.reshape(shape))
            else:
                weight = weight.reshape(layer.channels, layer.positions, *shape[1:])
                z = torch.einsum("ncpt,opct->nop", seen, weight)
        if layer.bias is not None:
            z = z + params[layer.bias].reshape(layer.channels, -1)
        h = ACTIVATIONS[layer.activation].function(z)
    return h.flatten(1)


def seq(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(*modules).double()


READ = {
    "mlp": (lambda: TwoLayerTanhMLP(5, width=3), (5,)),
    "shared": (lambda: SharedTanhConv1D(5, width=2, kernel_size=3), (5,)),
    "unshared": (lambda: NoShareTanhConv1D(5, width=2, kernel_size=3, output_bias=True), (5,)),
    "shared 2-d": (lambda: SharedTanhConv2D(4, width=2, kernel_size=3), (4, 4)),
    "unshared 2-d": (lambda: NoShareTanhConv2D(4, width=2, kernel_size=2), (4, 4)),
    "deep": (lambda: MLP(4, widths=[3, 5], activation="gelu", output_dim=2), (4,)),
    "linear": (lambda: MLP(4, widths=[], output_bias=True), (4,)),
    "sequential": (lambda: seq(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2), nn.Sigmoid()), (5,)),
    "nested": (
        lambda: seq(
            nn.Sequential(nn.Linear(5, 3), Pointwise("sin")), nn.Identity(), nn.Linear(3, 1)
        ),
        (5,),
    ),
    "two activations": (lambda: seq(nn.Linear(5, 3), nn.ReLU(), nn.Tanh(), nn.Linear(3, 1)), (5,)),
    "flattened input": (lambda: seq(nn.Flatten(), nn.Linear(6, 3), nn.ELU()), (2, 3)),
    "1-d convolutions": (
        lambda: seq(
            nn.Unflatten(1, (1, 12)),
            nn.Conv1d(1, 3, 4, stride=2, padding=1),
            nn.Tanh(),
            nn.Conv1d(3, 10, 3, padding="same", bias=False),
            nn.SiLU(),
            nn.AvgPool1d(2),
            nn.Flatten(),
            nn.Linear(30, 2),
        ),
        (12,),
    ),
    "2-d convolutions": (
        lambda: seq(
            nn.Conv2d(2, 3, (2, 3), dilation=(1, 2), padding=(1, 0)),
            nn.ReLU(),
            nn.AvgPool2d(2, stride=1, padding=1),
            nn.Conv2d(3, 4, 2, stride=(2, 1)),
            nn.Flatten(),
        ),
        (2, 6, 7),
    ),
    "pooled input": (
        lambda: seq(
            nn.AvgPool2d((2, 3), count_include_pad=False, padding=1), nn.Flatten(), nn.Linear(16, 1)
        ),
        (2, 6, 5),
    ),
    "locally connected": (
        lambda: seq(
            LocallyConnected1D(9, in_channels=2, out_channels=3, kernel_size=3, stride=2),
            nn.Softplus(),
            LocallyConnected1D(4, in_channels=3, out_channels=2, kernel_size=2, bias=False),
            nn.Flatten(),
            nn.Linear(6, 1),
        ),
        (2, 9),
    ),
    "locally connected 2-d": (
        lambda: seq(
            LocallyConnected2D(4, in_channels=1, out_channels=2, kernel_size=2), nn.Flatten()
        ),
        (1, 4, 4),
    ),
    "dropout, not training": (
        lambda: seq(nn.Linear(5, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 1)).eval(),
        (5,),
    ),
}


@pytest.mark.parametrize("name", READ)
def test_the_layers_compute_what_the_module_computes(name):
    torch.manual_seed(0)
    make, shape = READ[name]
    module, x = make(), torch.randn(4, *shape, dtype=torch.float64)
    network = layered_network(module, shape)
    outputs = module(x)
    assert network is not None
    assert network.n_outputs == outputs.shape[1]
    torch.testing.assert_close(evaluated(network, dict(module.named_parameters()), x), outputs)


def hooked() -> nn.Module:
    module = seq(nn.Linear(5, 1))
    module[0].register_forward_hook(lambda *_: None)
    return module


def twice() -> nn.Module:
    layer = nn.Linear(5, 5)
    return seq(layer, nn.ReLU(), layer)


UNREAD = {
    "a module of the user's": lambda: type("Mine", (nn.Linear,), {})(5, 1),
    "a subclass of Sequential": lambda: type("Mine", (nn.Sequential,), {})(nn.Linear(5, 1)),
    "an unknown activation": lambda: seq(nn.Linear(5, 3), nn.Softplus(beta=2), nn.Linear(3, 1)),
    "an activation first": lambda: seq(nn.Tanh(), nn.Linear(5, 1)),
    "batch norm": lambda: seq(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)),
    "dropout, training": lambda: seq(nn.Linear(5, 3), nn.Dropout(), nn.Linear(3, 1)),
    "groups": lambda: seq(nn.Unflatten(1, (5, 1)), nn.Conv1d(5, 5, 1, groups=5), nn.Flatten()),
    "circular": lambda: seq(
        nn.Unflatten(1, (1, 5)),
        nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular"),
        nn.Flatten(),
    ),
    "max pooling": lambda: seq(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3), nn.MaxPool1d(2)),
    "outputs with axes": lambda: seq(nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3)),
    "linear along an axis": lambda: seq(
        nn.Unflatten(1, (1, 5)), nn.Conv1d(1, 2, 3), nn.Linear(3, 1), nn.Flatten()
    ),
    "unflattened later": lambda: seq(
        nn.Linear(5, 4), nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 1, 4), nn.Flatten()
    ),
    "wrong sizes": lambda: seq(nn.Linear(5, 3), nn.Linear(4, 1)),
    "another model": lambda: MatrixFactorization(2, 3, width=1),
    "no parameters": lambda: nn.Tanh(),
    "hooks": hooked,
    "a layer used twice": twice,
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_such_a_chain_is_not_read(name):
    assert layered_network(UNREAD[name](), (5,)) is None


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_any_windows_are_those_of_pytorch(stride, padding, dilation):
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    module = seq(nn.Conv2d(1, 1, (2, 3), **options), nn.Flatten())
    x = torch.randn(2, 1, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network = layered_network(module, (1, 6, 8))
    assert np.isin(network.inputs, range(-1, 48)).all()
    got = evaluated(network, dict(module.named_parameters()), x)
    torch.testing.assert_close(got, module(x))
