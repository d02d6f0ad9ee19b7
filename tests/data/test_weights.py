"""Weights files: every kind and network makes the round trip, nothing else gets in."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

import llr
from llr._yaml import write_yaml
from llr.data import make_target, module_from_weights, read_weights
from llr.errors import InvalidInputError
from llr.models import MLP, MatrixFactorization, ModelSizes, build_model

MODELS = {
    "mlp": build_model("mlp", ModelSizes(5, 3)),
    "no_bias": build_model("mlp", ModelSizes(5, 3, hidden_bias=False)),
    "both_biases": build_model("cnn_shared", ModelSizes(5, 2, output_bias=True)),
    "cnn_shared": build_model("cnn_shared", ModelSizes(5, 2)),
    "cnn_noshare": build_model("cnn_noshare", ModelSizes(5, 2)),
    "cnn_noshare_one_place": build_model("cnn_noshare", ModelSizes(3, 2)),
    "cnn_shared_2d": build_model("cnn_shared_2d", ModelSizes(5, 2)),
    "cnn_noshare_2d": build_model("cnn_noshare_2d", ModelSizes(4, 2)),
    "deep": MLP(4, widths=[3, 2]),
    "affine": MLP(4, widths=[], output_bias=True),
    "matrix": MatrixFactorization(3, 4, width=2),
    "sequential": nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)).double(),
}


def write(weights: dict[str, torch.Tensor], path: Path) -> None:
    if path.suffix == ".pt":
        torch.save(weights, path)
    elif path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
    else:
        path.write_text(write_yaml({name: value.tolist() for name, value in weights.items()}))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".yaml"])
@pytest.mark.parametrize("name", MODELS)
def test_every_network_makes_the_round_trip(name: str, suffix: str, tmp_path: Path):
    model = MODELS[name]
    path = tmp_path / f"weights{suffix}"
    write(model.state_dict(), path)
    target = make_target("file", path=path)
    shape = getattr(model, "input_shape", (5,))
    assert target.input_shape == shape
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(target(x), model(x), rtol=1e-14, atol=0)


def test_yaml_weights_may_be_nested_and_whole_numbers(tmp_path: Path):
    path = tmp_path / "weights.yaml"
    path.write_text("hidden: {weight: [[1, 0], [0, 2]]}\noutput: {weight: [[1, 1]]}\n")
    x = torch.tensor([[0.5, 0.25]], dtype=torch.float64)
    expected = 2 * torch.tanh(torch.tensor(0.5, dtype=torch.float64))
    assert make_target("file", path=path)(x).item() == pytest.approx(expected.item())


def test_a_matrix_can_be_written_down_whole(tmp_path: Path):
    path = tmp_path / "weights.yml"
    path.write_text("matrix: [[1, 2, 3], [4, 5, 6]]\n")
    target = make_target("file", path=path)
    assert torch.equal(target.left @ target.right, torch.tensor([[1, 2, 3], [4, 5, 6]]).double())


def test_float32_weights_become_float64(tmp_path: Path):
    path = tmp_path / "weights.pt"
    torch.save(build_model("mlp", ModelSizes(5, 3), dtype=torch.float32).state_dict(), path)
    assert {value.dtype for value in read_weights(path).values()} == {torch.float64}


class _Trap:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_code_in_a_file_is_never_run(save, tmp_path: Path):
    trace, path = tmp_path / "trace", tmp_path / "weights.pt"
    save({"hidden.weight": _Trap(trace)}, path)
    with pytest.raises(InvalidInputError, match=r"weights\.pt"):
        read_weights(path)
    assert not trace.exists()


@pytest.mark.parametrize("version", ["2.4.1", "2.5.1+cu124", "1.13.1"])
def test_a_torch_that_may_run_code_from_a_file_is_refused(
    version: str, tmp_path: Path, monkeypatch
):
    path = tmp_path / "weights.pt"
    torch.save(build_model("mlp", ModelSizes(5, 3)).state_dict(), path)
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(InvalidInputError, match=r"2\.6 or newer.*got " + re.escape(version)):
        read_weights(path)


@pytest.mark.parametrize("version", ["2.6.0", "2.10.0+cpu", "3.0"])
def test_a_newer_torch_reads_a_file(version: str, tmp_path: Path, monkeypatch):
    path = tmp_path / "weights.pt"
    torch.save(build_model("mlp", ModelSizes(5, 3)).state_dict(), path)
    monkeypatch.setattr(torch, "__version__", version)
    assert "hidden.weight" in read_weights(path)


def test_torch_files_are_loaded_behind_a_guard_in_the_library_and_in_the_checker_that_runs_alone():
    package = Path(llr.__file__).parent
    texts = {path.name: path.read_text("utf-8") for path in package.rglob("*.py")}
    loading = {name: text for name, text in texts.items() if "torch.load(" in text}
    assert set(loading) == {"_torch_file.py", "check.py"}
    assert all("SAFE_TORCH" in text.partition("torch.load(")[0] for text in loading.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden.weight: [[1, 2], [3]]", "hidden.weight must be a number or evenly nested lists"),
        ("hidden.weight: [[.nan]]", "hidden.weight must hold finite numbers only"),
        ("hidden.weight: [[one]]", "hidden.weight must be a number or evenly nested lists"),
        ("hidden.weight: [[1, 2]]", "output.weight is missing among 'hidden.weight'"),
        ("hiden.weight: [[1]]\noutput.weight: [[1]]", "Did 'hiden.weight' mean 'hidden.weight'"),
        ("hidden.weight: 3\noutput.weight: [[1]]", "hidden.weight must have 2 or 3 or 4 or 6 axes"),
        (
            "hidden.weight: [[1, 2]]\noutput.weight: [[1, 1]]",
            r"output.weight must have shape \(1, 1\) beside the other weights, got \(1, 2\)",
        ),
        (
            "hidden.weight: [[1]]\nhidden.biass: [0]\noutput.weight: [[1]]",
            "hidden.biass is not a weight of this network; valid are .* Did you mean",
        ),
        ("hidden.weight: [[[1, 2]]]\noutput.weight: [[]]", "output.weight must have 2 axes, none"),
        ("layers.0.weight: [[1]]\nlayers.2.weight: [[1]]", "layers.1.weight is missing"),
        ("left: [[1]]", "right is missing"),
        ("matrix: [1, 2]", "matrix must have 2 axes"),
        ("[1, 2]", "must map names to numbers or nested lists of numbers, got list"),
        ("{}", "holds no weights"),
        ("a: [", "line 1, column 5: not valid YAML"),
        ("a: 1\na: 2", 'found duplicate key "a"'),
    ],
)
def test_a_faulty_yaml_file_is_refused_with_file_and_key(text: str, message: str, tmp_path: Path):
    path = tmp_path / "weights.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message) as caught:
        make_target("file", path=path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.onnx", b"", r"must end in one of '\.pt', .*, got '\.onnx'"),
        ("weights.pt", b"garbage", "weights.pt"),
        ("weights.safetensors", b"garbage", "not a safetensors file"),
        ("gone.pt", None, "there is no such weights file"),
    ],
)
def test_a_file_of_another_kind_is_refused(name: str, content, message: str, tmp_path: Path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_weights(path)


@pytest.mark.parametrize("value", [[torch.zeros(2)], {"a": torch.zeros(2, dtype=torch.complex64)}])
def test_a_torch_file_must_hold_real_tensors_by_name(value, tmp_path: Path):
    path = tmp_path / "weights.pt"
    torch.save(value, path)
    with pytest.raises(InvalidInputError, match=r"state_dict|real numbers"):
        read_weights(path)


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".pt", ".safetensors", ".yaml"]))
def test_random_bytes_never_raise_anything_else(content: bytes, suffix: str, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"random{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError):
        make_target("file", path=path)


SHAPES = st.lists(st.integers(0, 3), max_size=6)
NAMES = st.sampled_from(
    [
        *(f"{layer}.{kind}" for layer in ("hidden", "output") for kind in ("weight", "bias")),
        *(f"layers.{l}.{kind}" for l in (0, 1) for kind in ("weight", "bias")),
        *("0.weight", "2.weight", "left", "right", "matrix", "x"),
    ]
)


@given(shapes=st.dictionaries(NAMES, SHAPES, max_size=4))
def test_random_shapes_make_a_network_or_a_sentence(shapes: dict[str, list[int]]):
    weights = {name: torch.ones(shape, dtype=torch.float64) for name, shape in shapes.items()}
    try:
        module = module_from_weights(weights)
    except InvalidInputError:
        return
    x = torch.ones(2, *module.input_shape, dtype=torch.float64)
    assert module(x).shape == (2, 1)
