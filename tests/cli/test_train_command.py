"""``llr train``: one run, told and kept."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from llr.config import load_config
from llr.sweep import build_problem, run_sweep, single_run
from llr.training import train_batch


def test_a_run_is_told_in_a_few_lines(llr):
    result = llr("train", "training.lr=0.05")
    assert result.exit_code == 0
    told = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert told["model"] == "mlp, scale 1, width 3, 21 parameters"
    assert told["target"] == "paper; optimistic sample size in this model: 21 samples"
    assert told["data"] == "5 training samples (normal), seed 0"
    assert told["training"].startswith("gradient_descent, lr 0.05, max_steps 20, tol 1e-10")
    assert told["end"].startswith("max_steps: ")


def test_a_run_is_kept_with_all_that_made_it(llr, folder: Path):
    llr("train", "training.lr=0.05", "output.save_parameters=true")
    config = load_config("config.yaml", ["training.lr=0.05", "output.save_parameters=true"])
    spec = single_run(config)
    file = folder / "outputs/small/single" / f"{spec.id}.json"
    kept = json.loads(file.read_text())
    assert kept["schema_version"] == 1
    assert kept["config"] == config.to_dict()
    assert kept["spec"] == spec.to_dict()
    assert kept["environment"]["versions"]["torch"] == torch.__version__
    (alone,) = train_batch(build_problem([spec]), spec.optimizer)
    assert kept["run"]["train_mse"] == alone.train_mse
    assert kept["run"]["test_mse"] == alone.test_mse
    assert kept["run"]["history"] == alone.history.to_dict()
    parameters = load_file(file.with_suffix(".safetensors"))
    assert all(torch.equal(parameters[name], value) for name, value in alone.params.items())


def test_one_run_is_trained_whether_or_not_the_config_describes_a_grid(llr, folder: Path):
    alone = llr("train", "sweep.enabled=false").stdout.splitlines()[:4]
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("enabled: true, ", ""))
    assert load_config(config).sweep.enabled
    assert llr("train").stdout.splitlines()[:4] == alone
    assert len(list((folder / "outputs/small/single").glob("*.json"))) == 1


def test_a_single_run_does_not_stand_in_the_way_of_the_sweep(llr, folder: Path):
    assert llr("train").exit_code == 0
    assert run_sweep(load_config("config.yaml"), progress=False).n_trained == 8
    assert llr("train").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training.lr=-1"], "training.lr must be a finite number > 0, got -1."),
        (["mine.yaml"], "'mine.yaml'; for example training.lr=0.05. Did you mean --config mine"),
        (["--config", "gone.yaml"], "gone.yaml: there is no such config file."),
        (["model.kernel_size=9"], "model.kernel_size must be <= data.input_dim = 5"),
        (["experiment.device=cuda:99"], "experiment.device must be a device of this machine"),
        (["data.target=file", "data.target_path=gone.pt"], "gone.pt"),
        (["training.optimizer=gradient_flow", "training.lr=0.1"], "training.lr has no meaning"),
    ],
)
def test_a_bad_config_is_refused_and_nothing_is_written(
    llr, folder: Path, arguments: list[str], message: str
):
    result = llr("train", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""
    assert not (folder / "outputs").exists()


def test_a_disk_that_cannot_be_written_is_a_failure(llr, folder: Path):
    (folder / "outputs").write_text("a file in the way")
    result = llr("train")
    assert result.exit_code == 1
    assert "must be writable" in result.stderr
