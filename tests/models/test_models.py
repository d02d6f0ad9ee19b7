"""Models compute what their docstrings say, in any dtype, from any generator."""

import itertools

import pytest
import torch
from torch import nn

from llr.errors import InvalidInputError
from llr.models import (
    MLP,
    MODEL_NAMES,
    LocallyConnected1D,
    LocallyConnected2D,
    MatrixFactorization,
    ModelSizes,
    PaperTeacherMLP,
    TwoLayerTanhMLP,
    build_model,
    encode_entries,
    initialize,
    scaled_width,
    two_layer_structure,
)

BIASES = list(itertools.product([False, True], repeat=2))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(name: str, **options) -> nn.Module:
    d = 2 if name.startswith("toy") else 5
    return build_model(name, ModelSizes(input_dim=d, width=3, **options), generator=generator())


def inputs(model: nn.Module, n: int = 4, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, *model.input_shape, generator=generator(1), dtype=dtype)


def sum_over_units(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The definition of the two-layer family, one unit and one sample at a time."""
    shape = model.structure
    w, b, a, c = shape.unpack(dict(model.named_parameters()))
    out = torch.zeros(len(x), 1, dtype=x.dtype)
    for r, sample in enumerate(x.flatten(1)):
        total = torch.zeros((), dtype=x.dtype) if c is None else c.clone()
        for i in range(shape.channels):
            for j, window in enumerate(shape.windows):
                q = 0 if shape.shared else j
                z = sum(w[i, q, t] * sample[coordinate] for t, coordinate in enumerate(window))
                z = z if b is None else z + b[i, q]
                total = total + a[i, j] * torch.tanh(z)
        out[r, 0] = total
    return out


@pytest.mark.parametrize(("hidden_bias", "output_bias"), BIASES)
@pytest.mark.parametrize(
    "name", ["mlp", "cnn_shared", "cnn_noshare", "cnn_shared_2d", "cnn_noshare_2d"]
)
def test_two_layer_models_sum_their_units(name: str, hidden_bias: bool, output_bias: bool):
    model = build(name, hidden_bias=hidden_bias, output_bias=output_bias)
    x = inputs(model)
    torch.testing.assert_close(model(x), sum_over_units(model, x))


@pytest.mark.parametrize(("hidden_bias", "output_bias"), BIASES)
@pytest.mark.parametrize(
    "name", ["mlp", "cnn_shared", "cnn_noshare", "cnn_shared_2d", "cnn_noshare_2d"]
)
def test_structure_packs_what_it_unpacks_with_any_leading_axes(
    name: str, hidden_bias: bool, output_bias: bool
):
    model = build(name, hidden_bias=hidden_bias, output_bias=output_bias)
    structure = model.structure
    params = {key: value.detach() for key, value in model.named_parameters()}
    stacked = {key: value.expand(2, 3, *value.shape) for key, value in params.items()}
    for original in (params, stacked):
        packed = structure.pack(structure.unpack(original))
        assert list(packed) == list(params)
        for key, value in original.items():
            assert torch.equal(packed[key], value)
    assert structure.n_parameters == sum(value.numel() for value in params.values())


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_state_dict_makes_the_round_trip(name: str):
    model, other = build(name), build(name)
    initialize(other, std=1.0, generator=generator(5))
    other.load_state_dict(model.state_dict())
    x = inputs(model)
    assert torch.equal(model(x), other(x))


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_printing_a_model_shows_its_number_of_parameters(name: str):
    model = build(name)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert f"parameters={count}" in repr(model)


@pytest.mark.parametrize("name", MODEL_NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_models_take_any_dtype_and_float64_is_the_default(name: str, dtype: torch.dtype):
    sizes = ModelSizes(input_dim=2 if name.startswith("toy") else 5, width=2)
    assert all(p.dtype == torch.float64 for p in build_model(name, sizes).parameters())
    model = build_model(name, sizes, dtype=dtype)
    assert model(inputs(model, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_generator_decides_the_initialisation_and_the_global_one_is_left_alone(name: str):
    before = torch.random.get_rng_state()
    first, second = build(name), build(name)
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_default_initialisation_is_pytorchs():
    model = TwoLayerTanhMLP(5, width=200, output_bias=True, generator=generator())
    assert 0.9 < model.hidden.weight.abs().max() * 5**0.5 <= 1
    assert 0.9 < model.output.weight.abs().max() * 200**0.5 <= 1
    assert model.hidden.bias.abs().max() > 0


def test_normal_initialisation_has_the_stated_deviation_and_repeats():
    model = TwoLayerTanhMLP(5, width=2000)
    initialize(model, std=1e-10, generator=generator(3))
    values = nn.utils.parameters_to_vector(model.parameters())
    # n = 14,000 draws, seed 3: a relative error of 5 % is 8 standard errors, probability 1e-15.
    assert values.std().item() == pytest.approx(1e-10, rel=0.05)
    again = initialize(TwoLayerTanhMLP(5, width=2000), std=1e-10, generator=generator(3))
    assert torch.equal(values, nn.utils.parameters_to_vector(again.parameters()))


def test_default_initialisation_repeats_and_refuses_what_has_no_default():
    one, two = (initialize(build("mlp"), method="default", generator=generator(4)) for _ in "ab")
    assert torch.equal(one.hidden.weight, two.hidden.weight)

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.theta = nn.Parameter(torch.zeros(2))

    with pytest.raises(InvalidInputError, match="reset_parameters"):
        initialize(Bare(), method="default")


@pytest.mark.parametrize("stride", [1, 2])
def test_a_locally_connected_layer_is_a_sum_over_its_window(stride: int):
    layer = LocallyConnected1D(
        7, in_channels=2, out_channels=3, kernel_size=3, stride=stride, generator=generator()
    )
    x = torch.randn(4, 2, 7, generator=generator(1), dtype=torch.float64)
    out = layer(x)
    for o, j in itertools.product(range(3), range(out.shape[2])):
        window = x[:, :, j * stride : j * stride + 3]
        expected = (window * layer.weight[o, j]).sum((1, 2)) + layer.bias[o, j]
        torch.testing.assert_close(out[:, o, j], expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_locally_connected_2d_layer_with_equal_kernels_is_a_convolution(stride: int):
    layer = LocallyConnected2D(
        6, in_channels=2, out_channels=3, kernel_size=2, stride=stride, generator=generator()
    )
    with torch.no_grad():
        layer.weight.copy_(layer.weight[:, :1, :1])
        layer.bias.copy_(layer.bias[:, :1, :1])
    x = torch.randn(4, 2, 6, 6, generator=generator(1), dtype=torch.float64)
    expected = nn.functional.conv2d(x, layer.weight[:, 0, 0], layer.bias[:, 0, 0], stride=stride)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("hidden_bias", "output_bias"), BIASES)
def test_the_papers_target_is_the_same_function_in_all_bias_settings(hidden_bias, output_bias):
    x = torch.randn(9, 5, generator=generator(), dtype=torch.float64)
    expected = sum(torch.tanh(0.6 * x[:, i] + 0.8 * x[:, i + 1] + x[:, i + 2]) for i in range(3))
    teacher = PaperTeacherMLP(hidden_bias=hidden_bias, output_bias=output_bias)
    torch.testing.assert_close(teacher(x)[:, 0], expected)


@pytest.mark.parametrize("scale", [1, 3, 10])
def test_all_architectures_of_one_scale_have_the_same_number_of_hidden_neurons(scale: int):
    neurons = set()
    for name in ("mlp", "cnn_shared", "cnn_noshare"):
        width = scaled_width(name, scale, input_dim=5, kernel_size=3)
        structure = build_model(name, ModelSizes(input_dim=5, width=width)).structure
        neurons.add(structure.channels * structure.positions)
    assert neurons == {3 * scale}


def test_parameter_counts_are_the_papers():
    counts = {}
    for name in ("cnn_shared", "cnn_noshare", "mlp"):
        width = scaled_width(name, 100, input_dim=5)
        counts[name] = build_model(
            name, ModelSizes(input_dim=5, width=width)
        ).structure.n_parameters
    assert counts == {"cnn_shared": 700, "cnn_noshare": 1500, "mlp": 2100}


def test_matrix_factorization_gives_the_entries_of_the_product():
    model = MatrixFactorization(3, 4, width=2, generator=generator())
    rows, columns = (
        index.flatten() for index in torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    )
    x = encode_entries(rows, columns, n_rows=3, n_columns=4)
    torch.testing.assert_close(model(x).reshape(3, 4), model.left @ model.right)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)),
        MLP(5, widths=[3]),
        PaperTeacherMLP(),
    ],
)
def test_a_two_layer_tanh_network_is_recognised(module: nn.Module):
    structure = two_layer_structure(module)
    assert structure is not None
    assert structure.n_parameters == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(5, 1),
        nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2)),
        MLP(5, widths=[3, 3]),
        MLP(5, widths=[3], activation="sin"),
    ],
)
def test_other_networks_are_not_taken_for_one(module: nn.Module):
    assert two_layer_structure(module) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoLayerTanhMLP(0, width=3), "input_dim must be an integer >= 1, got 0"),
        (lambda: TwoLayerTanhMLP(5, width=2.0), "width must be an integer >= 1, got 2.0"),
        (lambda: build("cnn_shared", kernel_size=6), "kernel_size must be at most input_dim = 5"),
        (lambda: MLP(5, widths=7), r"write widths=\[7\]"),
        (lambda: MLP(5, widths=[3], activation="tanhh"), "Did you mean 'tanh'"),
        (lambda: PaperTeacherMLP(2), "input_dim must be an integer >= 3, got 2"),
        (lambda: build_model("cnn_share", ModelSizes(5, 1)), "Did you mean 'cnn_shared'"),
        (lambda: initialize(build("mlp"), std=-1.0), "std must be a number >= 0, got -1.0"),
    ],
)
def test_an_impossible_size_is_refused_with_its_name(make, message: str):
    with pytest.raises(InvalidInputError, match=message):
        make()
