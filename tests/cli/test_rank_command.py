"""``llr rank`` and ``llr check``: models and samples from files, and faults in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from llr.models import SharedTanhConv1D, TwoLayerTanhMLP

FACTORY = """
from torch import nn

def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))

def number():
    return 3

def broken():
    raise RuntimeError("no weights here")
"""


@pytest.fixture
def x(folder: Path) -> np.ndarray:
    """Samples in five dimensions, in a file of each kind."""
    x = np.random.default_rng(0).normal(size=(12, 5))
    np.save("x.npy", x)
    np.savez("x.npz", x=x, y=x[:, 0])
    np.savez("alone.npz", anything=x)
    np.savetxt("x.csv", x, delimiter=",", header="a,b,c,d,e", comments="")
    np.savetxt("bare.csv", x, delimiter=",")
    torch.save(torch.from_numpy(x), "x.pt")
    torch.save({"x": torch.from_numpy(x)}, "named.pt")
    return x


@pytest.fixture
def factory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's in the working folder."""
    name = f"factory_{abs(hash(folder))}"
    Path(f"{name}.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(folder))
    return name


def lines_of(text: str) -> dict[str, str]:
    """``name  value`` lines."""
    return {line[:13].strip(): line[13:] for line in text.splitlines()}


def test_a_config_is_measured_at_its_initialisation_with_the_exact_rank_beside(llr, folder: Path):
    result = llr("rank", "config.yaml")
    assert result.exit_code == 0
    found = lines_of(result.stdout)
    assert found["model"] == "mlp of config.yaml at its initialisation"
    assert found["parameters"] == "21"
    assert found["rank"].startswith("21 (clear) on 64 rows of Gaussian inputs")
    assert found["formal rank"].startswith("21 (exact")
    assert "lower bound" in result.stdout


def test_at_the_papers_initialisation_the_exact_rank_stands_beside_the_measured(llr, folder: Path):
    text = Path("config.yaml").read_text().replace("std: 0.1", "std: 1.0e-10")
    Path("config.yaml").write_text(text)
    result = llr("rank", "config.yaml")
    found = lines_of(result.stdout)
    assert found["rank"].startswith("6 (clear)")
    assert found["formal rank"].startswith("21 (exact")
    assert "The exact rank at these parameters is 21, not 6." in result.stdout


def test_a_config_is_measured_at_its_target(llr, folder: Path):
    text = Path("config.yaml").read_text().replace("model: {scale: 1}", "model: {scale: 3}")
    Path("config.yaml").write_text(text)
    found = lines_of(llr("rank", "config.yaml", "--at", "target").stdout)
    assert found["model"] == "mlp of config.yaml at its target 'paper'"
    assert found["parameters"] == "63"
    assert found["rank"].startswith("21 (clear)")


@pytest.mark.parametrize(
    "file", ["x.npy", "x.npz", "alone.npz", "x.csv", "bare.csv", "x.pt", "named.pt"]
)
def test_every_kind_of_data_file_gives_the_same_verdict(llr, x, file):
    result = llr("check", "config.yaml", "--data", file)
    assert result.exit_code == 0
    found = lines_of(result.stdout)
    assert found["guarantee"] == "does not hold (clear)"
    assert found["rank on data"] == f"12 (12 rows of {file})"
    assert (found["model rank"], found["needed"]) == ("21", "9 further generic samples")
    assert lines_of(llr("rank", "config.yaml", "--data", file).stdout)["rank"].startswith("12 ")


def test_enough_samples_give_the_guarantee(llr, folder: Path):
    np.save("many.npy", np.random.default_rng(0).normal(size=(21, 5)))
    result = llr("check", "config.yaml", "--data", "many.npy")
    assert lines_of(result.stdout)["guarantee"] == "holds (clear)"
    assert "unseen" not in result.stdout


def test_a_config_is_checked_at_its_target_and_where_rounding_hides_the_rank_it_does_not_hold(
    llr, x
):
    text = Path("config.yaml").read_text().replace("std: 0.1", "std: 1.0e-10")
    Path("config.yaml").write_text(text)
    found = lines_of(llr("check", "config.yaml", "--data", "x.npy").stdout)
    assert found["model"] == "mlp of config.yaml at its target 'paper'"
    result = llr("check", "config.yaml", "--at", "init", "--data", "x.npy")
    found = lines_of(result.stdout)
    assert found["model"] == "mlp of config.yaml at its initialisation"
    assert found["guarantee"] == "does not hold (ambiguous)"
    assert (found["rank on data"], found["model rank"]) == ("6 (12 rows of x.npy)", "6")
    assert found["needed"] == "9 further generic samples"
    assert "On 12 rows the guarantee cannot hold there." in result.stdout


def test_whole_numbers_in_a_file_are_samples_too(llr, folder: Path):
    np.save("whole.npy", np.random.default_rng(0).integers(-3, 4, size=(30, 5)))
    result = llr("check", "config.yaml", "--data", "whole.npy")
    assert lines_of(result.stdout)["guarantee"] == "holds (clear)"


def test_flat_rows_take_the_models_input_shape(llr, folder: Path):
    Path("config.yaml").write_text(
        "data: {input_dim: 4, target: random, target_model: cnn_shared_2d}\n"
        "model: {type: cnn_shared_2d, width: 1, kernel_size: 2}\ninit: {std: 1.0}\n"
    )
    np.savetxt("flat.csv", np.random.default_rng(0).normal(size=(6, 16)), delimiter=",")
    result = llr("rank", "config.yaml", "--data", "flat.csv")
    assert lines_of(result.stdout)["rank"].startswith("6 (clear) on flat.csv (6 rows)")


def test_a_factory_is_called_and_takes_a_state_dict(llr, folder: Path, factory: str):
    found = lines_of(llr("rank", f"{factory}:network").stdout)
    assert found["rank"].startswith("26 (clear)")
    assert found["formal rank"] == "not known for this model"
    zero = {
        "0.weight": torch.zeros(4, 3),
        "0.bias": torch.zeros(4),
        "3.weight": torch.zeros(2, 4),
        "3.bias": torch.zeros(2),
    }
    torch.save(zero, "zero.pt")
    save_file(zero, "zero.safetensors")
    for file in ("zero.pt", "zero.safetensors"):
        found = lines_of(llr("rank", f"{factory}:network", "--state", file).stdout)
        assert found["rank"].startswith("2 (clear)")
        assert found["model"] == f"{factory}:network, parameters from {file}"


def test_a_dictionary_of_inputs_is_given_by_name(llr, folder: Path):
    Path("keywords.py").write_text(
        "from torch import nn\n"
        "class Sum(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a, self.b = nn.Linear(2, 1), nn.Linear(3, 1)\n"
        "    def forward(self, left, right):\n"
        "        return self.a(left) + self.b(right)\n"
    )
    draw = np.random.default_rng(0).normal
    np.savez("pair.npz", left=draw(size=(9, 2)), right=draw(size=(9, 3)))
    result = llr("check", "keywords:Sum", "--data", "pair.npz")
    assert lines_of(result.stdout)["model rank"] == "6"


def test_runs_are_found_by_the_beginning_of_their_id(llr, folder: Path):
    text = Path("config.yaml").read_text() + "output: {save_parameters: true}\n"
    Path("config.yaml").write_text(text)
    from llr.config import load_config
    from llr.sweep import run_sweep, train_single

    config = load_config("config.yaml")
    run_sweep(config)
    ids = [path.stem for path in sorted(Path("outputs/small/parameters").iterdir())]
    found = lines_of(llr("rank", f"outputs/small/{ids[0]}").stdout)
    assert f"run {ids[0]} of outputs/small, trained on" in found["model"]
    assert lines_of(llr("rank", f"outputs/small/{ids[0][:7]}").stdout) == found
    several = llr("rank", "outputs/small")
    assert several.exit_code == 2
    assert f"must name one finished run, got '', which {len(ids)} of them" in several.stderr
    missing = llr("rank", f"outputs/small/{ids[0][:-1]}zz")
    assert missing.exit_code == 2
    assert f"Did you mean '{ids[0]}'" in missing.stderr
    run = train_single(config)
    found = lines_of(llr("rank", str(run.file)).stdout)
    assert found["model"] == f"mlp of run {run.spec.id}, trained on 5 samples"
    run.file.with_suffix(".safetensors").unlink()
    assert "parameters of this run were not kept" in llr("rank", str(run.file)).stderr


def test_runs_without_parameters_are_refused_with_the_remedy(llr, folder: Path):
    from llr.config import load_config
    from llr.sweep import grid, run_sweep

    config = load_config("config.yaml")
    run_sweep(config)
    result = llr("rank", f"outputs/small/{grid(config)[0].id}")
    assert result.exit_code == 2
    assert "output.save_parameters=true" in result.stderr


def test_json_holds_the_whole_result(llr, x):
    rank = json.loads(llr("rank", "config.yaml", "--json").stdout)
    assert (rank["rank"], rank["formal_rank"], len(rank["singular_values"])) == (21, 21, 21)
    check = json.loads(llr("check", "config.yaml", "--data", "x.npy", "--json").stdout)
    assert (check["recoverable"], check["rank_on_x"], check["formal_rank"]) == (False, 12, 21)


def test_options_reach_the_measurement(llr, x):
    text = llr("rank", "config.yaml", "--method", "sketched", "--rtol", "0.5", "--json").stdout
    found = json.loads(text)
    assert (found["method"], found["verdict"]) == ("sketched", "ambiguous")
    assert found["rank"] < 21
    noisy = json.loads(llr("rank", "config.yaml", "--param-error", "10", "--json").stdout)
    assert noisy["rank"] == 0
    again = json.loads(llr("rank", "config.yaml", "--seed", "1", "--json").stdout)
    first = json.loads(llr("rank", "config.yaml", "--json").stdout)
    assert again["singular_values"] != first["singular_values"]
    result = llr("check", "config.yaml", "--data", "x.npy", "--inputs", "x.npy")
    assert lines_of(result.stdout)["guarantee"].startswith("holds")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", "nothing"], "MODEL must be a config"),
        (["rank", "missing.yaml"], "there is no such config file"),
        (["rank", "missing.json"], "there is no such run"),
        (["rank", "no_such_module:f"], "cannot be imported: ModuleNotFoundError"),
        (["rank", "FACTORY:netwrk"], "Did you mean 'network'"),
        (["rank", "FACTORY:number"], "must return a torch.nn.Module, got int"),
        (["rank", "FACTORY:broken"], "failed: RuntimeError: no weights here"),
        (["rank", "config.yaml", "--state", "none.pt"], "there is no such weights file"),
        (["rank", "config.yaml", "--state", "other.pt"], "does not fit the model"),
        (["rank", "config.yaml", "--data", "none.npy"], "there is no such data file"),
        (["rank", "config.yaml", "--data", "config.yaml"], "must end in one of '.npy'"),
        (["rank", "config.yaml", "--data", "torn.npy"], "not an array of numbers"),
        (["rank", "config.yaml", "--data", "objects.npy"], "not an array of numbers"),
        (["rank", "config.yaml", "--data", "torn.npz"], "not arrays of numbers"),
        (["rank", "config.yaml", "--data", "torn.pt"], "must hold tensors only"),
        (["rank", "config.yaml", "--data", "pickled.pt"], "must hold tensors only"),
        (["rank", "config.yaml", "--data", "words.csv"], "row 3: must be numbers"),
        (["rank", "config.yaml", "--data", "ragged.csv"], "rows of equal length"),
        (["rank", "config.yaml", "--data", "empty.csv"], "rows of equal length"),
        (["rank", "config.yaml", "--data", "text.npy"], "must hold real numbers, got"),
        (["rank", "config.yaml", "--data", "wide.npy"], r"rows of 5 numbers, got (3, 7)"),
        (["rank", "config.yaml", "--data", "nan.npy"], "x must be finite"),
        (["check", "config.yaml"], "Missing option '--data'"),
        (["check", "FACTORY:network", "--data", "wide.npy"], "samples as they are in x"),
        (["rank", "config.yaml", "--gap", "0.5"], "gap must be a number > 1"),
        (["rank", "config.yaml", "--max-memory", "-1"], "max_memory must be a number of bytes"),
        (["rank", "config.yaml", "--param-error", "-1"], "param_error must be a number >= 0"),
        (["rank", "config.yaml", "--method", "guess"], "'guess' is not one of"),
    ],
)
def test_bad_input_is_one_line_and_status_two(llr, folder: Path, factory, arguments, message):
    Path("torn.npy").write_bytes(b"\x93NUMPY torn")
    Path("torn.npz").write_bytes(b"PK torn")
    Path("torn.pt").write_bytes(b"torn")
    Path("words.csv").write_text("a,b\n1,2\n3,x\n")
    Path("ragged.csv").write_text("1,2\n3\n")
    Path("empty.csv").write_text("")
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save("text.npy", np.array(["a", "b"]))
    np.save("wide.npy", np.zeros((3, 7)))
    np.save("nan.npy", np.full((3, 5), np.nan))
    torch.save(TwoLayerTanhMLP(2, width=1), "pickled.pt")
    torch.save(SharedTanhConv1D(5, width=1, kernel_size=3).state_dict(), "other.pt")
    result = llr(*(argument.replace("FACTORY", factory) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
