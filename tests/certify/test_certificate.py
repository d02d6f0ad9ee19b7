"""Certificate files: what the checker accepts, what it leaves open, and what it rejects."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.certify.specimens import built, samples
from torch import nn

import llr
from llr.certify import certify_rank, check, check_certificate
from llr.errors import InvalidInputError
from llr.models import initialize
from llr.seeds import generator


def generic(model: nn.Module, std: float = 1.0) -> nn.Module:
    return initialize(model, std=std, generator=generator(0, "target"))


def with_a_kink(model: nn.Module) -> nn.Module:
    """The argument of the first unit is exactly zero at x = (-0.5, 0)."""
    with torch.no_grad():
        model.layers[0].weight[0] = torch.tensor([0.5, 0.375])
        model.layers[0].bias[0] = 0.25
    return model


MODELS = {
    "tanh": lambda: generic(llr.TwoLayerTanhMLP(2, width=2)),
    "relu": lambda: with_a_kink(generic(llr.MLP(2, widths=[3], activation="relu"))),
    "balls": lambda: generic(llr.TwoLayerTanhMLP(1, width=12)),
    "deep": lambda: generic(llr.MLP(2, widths=[3, 2], activation="sigmoid")),
}


@pytest.fixture(scope="module")
def certified(tmp_path_factory, exported):
    """A model and its certificate, made once per name; exporting is the slow part."""
    made: dict[str, tuple[nn.Module, dict]] = {}

    def get(name: str) -> tuple[nn.Module, dict]:
        if name not in made:
            model = MODELS[name]()
            file = tmp_path_factory.mktemp("certificates") / f"{name}.json"
            certify_rank(model, use_theory=False).save(file)
            made[name] = model, json.loads(file.read_text())
        model, content = made[name]
        return model, copy.deepcopy(content)

    return get


@pytest.fixture(scope="module", autouse=True)
def exported():
    """Each module is exported once for each of its parameter values."""
    once: dict[object, check.Export] = {}
    export_model = check.export_model

    def export(model, structure, leaves):
        values = b"".join(p.detach().double().numpy().tobytes() for p in model.parameters())
        key = repr(model), getattr(model, "activation", None), values
        if key not in once:
            once[key] = export_model(model, structure, leaves)
        return once[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "export_model", export)
        yield


def sealed(content: dict) -> dict:
    """The file with the digest of what it now says."""
    content["sha256"] = check.file_digest(content)
    return content


@pytest.mark.parametrize(
    ("name", "method"), [("tanh", "float64"), ("relu", "exact"), ("balls", "balls")]
)
def test_a_certificate_of_each_method_is_accepted(certified, name, method):
    model, content = certified(name)
    assert content["lower"]["method"] == method
    report = check_certificate(content, model)
    assert report.accepted, str(report)
    assert report.lower == report.upper == content["lower"]["rank"]
    assert report.status == 0


@pytest.mark.parametrize("name", ["tokens", "inputs by name"])
def test_certificates_on_samples_hold_all_of_them(tmp_path, name):
    model, x = built(name), samples(name, 5)
    result = certify_rank(model, x)
    result.save(tmp_path / "c.json")
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["quantity"] == "rank on samples"
    assert content["samples"]["leaves"][0]["shape"][0] == 5
    report = check_certificate(tmp_path / "c.json", model)
    assert report.accepted, str(report)
    assert (report.lower, report.upper) == (result.lower, result.upper)


def test_the_checker_imports_only_what_it_says():
    allowed = {*sys.stdlib_module_names, "numpy", "torch", "flint"}
    tree = ast.parse(Path(check.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert str(node.module).partition(".")[0] in allowed


def test_the_checker_runs_alone(certified, tmp_path):
    model, content = certified("tanh")
    (tmp_path / "c.json").write_text(json.dumps(content))
    torch.save(model.state_dict(), tmp_path / "w.pt")
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.hidden, self.output = nn.Linear(2, 2), nn.Linear(2, 1, bias=False)\n"
        "    def forward(self, x):\n"
        "        return self.output(self.hidden(x).tanh())\n"
        "def build():\n"
        "    return Net().double()\n"
    )
    script = tmp_path / "check.py"
    script.write_text(Path(check.__file__).read_text())
    command = [sys.executable, script.name, "c.json", "./net.py:build", "--state", "w.pt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    # The same function, written differently: the graph is the library's own only if it agrees.
    agree = "Lower bound 8: proved" in done.stdout
    assert agree or "the SHA-256 of its operations" in done.stdout, done.stderr
    assert done.returncode == (0 if agree else 1)


def test_an_upper_bound_that_symbols_do_not_show_is_left_open(certified):
    model, content = certified("tanh")
    content["lower"]["rank"] = 7
    content["lower"]["rows"].pop()
    content["lower"]["columns"].pop()
    content["upper"] = {"rank": 7, "by": "formal activations", "chance": 1e-12}
    report = check_certificate(sealed(content), model)
    assert (report.accepted, report.rejected, report.status) == (False, False, 3)
    assert (report.lower, report.upper) in {(7, None)}
    assert "Lower bound proved, upper bound 7 not checked." in str(report)


def _set(*path, value):
    def change(content):
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change


def _drop(*path):
    def change(content):
        place = content
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


def _repeat_a_sample(content):
    leaf = content["samples"]["leaves"][0]
    size = len(leaf["values"]) // leaf["shape"][0]
    leaf["values"][:size] = leaf["values"][size : 2 * size]


def _one_more(content):
    content["lower"]["rank"] += 1
    content["upper"]["rank"] += 1


def _a_rank_more(content):
    content["lower"]["rank"] += 1
    content["lower"]["rows"].append([0, 0])
    content["lower"]["columns"].append(0)


def _too_low(content):
    content["lower"].update(rank=3, rows=content["lower"]["rows"][:3])
    content["lower"]["columns"] = content["lower"]["columns"][:3]
    content["upper"]["rank"] = 3


def _by_rows(content):
    content["upper"] = {"rank": 8, "by": "rows", "chance": 0.0}
    content["lower"]["rank"] = 8


def _dead_columns(content):
    """Columns of a unit that is off on the samples, in place of others."""
    content["lower"]["columns"] = content["lower"]["columns"][::-1]
    content["lower"]["rows"][0], content["lower"]["rows"][1] = [0, 0], [0, 0]


def _on_the_kink(content):
    """The first sample on the kink of the first unit."""
    content["samples"]["leaves"][0]["values"][:2] = [(-0.5).hex(), (0.0).hex()]


TAMPERINGS = [
    ("another format", "tanh", _set("format", value="zip"), "format"),
    ("a later version", "tanh", _set("version", value=2), "version must be 1"),
    ("a field missing", "tanh", _drop("n_rows"), "'n_rows' is missing"),
    ("a field of another type", "tanh", _set("upper", value=[8]), "'upper'"),
    ("an unknown field", "tanh", lambda c: c.update(note="trust me"), "unknown fields"),
    ("a higher rank", "tanh", _one_more, "needs that many rows"),
    ("a higher rank with rows", "tanh", _a_rank_more, "above the upper one"),
    ("a negative rank", "tanh", _set("lower", "rank", value=-1), "not negative"),
    ("true for a rank", "tanh", _set("lower", "rank", value=True), "must be a number"),
    ("a row twice", "tanh", _dead_columns, "row is named twice"),
    ("a column twice", "tanh", _set("lower", "columns", 0, value=1), "column is named twice"),
    ("no such column", "tanh", _set("lower", "columns", 0, value=99), "column does not exist"),
    ("no such sample", "tanh", _set("lower", "rows", 0, value=[99, 0]), "does not exist"),
    ("no such output", "tanh", _set("lower", "rows", 0, value=[0, 1]), "does not exist"),
    ("a sample twice", "tanh", _repeat_a_sample, "do not prove the rank"),
    ("a sample twice, exactly", "relu", _repeat_a_sample, "zero modulo the prime"),
    ("a sample twice, by balls", "balls", _repeat_a_sample, "do not prove the rank"),
    (
        "a sample that is not finite",
        "tanh",
        _set("samples", "leaves", 0, "values", 0, value="nan"),
        "not finite",
    ),
    (
        "a sample that is no number",
        "tanh",
        _set("samples", "leaves", 0, "values", 0, value="x"),
        "cannot be read",
    ),
    ("no samples", "tanh", _set("samples", value=None), "needs its samples"),
    ("a sample on a kink", "relu", _on_the_kink, "kink"),
    (
        "other parameters",
        "tanh",
        _set("model", "parameters_sha256", value="0" * 64),
        "parameters or buffers",
    ),
    ("another model", "tanh", _set("model", "sha256", value="0" * 64), "The model is not that"),
    (
        "other names",
        "tanh",
        _set("model", "parameters", 0, 0, value="a"),
        "names, order or shapes differ",
    ),
    ("an upper bound below", "tanh", _too_low, "must be the number of parameters, 8, got 3"),
    ("rows that bound", "tanh", _by_rows, "Only a rank on samples"),
    (
        "a certain formal bound",
        "tanh",
        _set("upper", value={"rank": 8, "by": "formal activations", "chance": 0.0}),
        "chance of error cannot be 0.0",
    ),
    ("a chance above 1", "tanh", _set("upper", "chance", value=2.0), "in 0..1"),
    ("an unknown method", "tanh", _set("lower", "method", value="trust"), "method must be one of"),
    ("no method", "tanh", _set("lower", "method", value="none"), "without a method"),
    (
        "exact where nothing is",
        "tanh",
        lambda c: c["lower"].update(method="exact", prime=2**31 - 1),
        "not made of exact operations",
    ),
    ("a prime that is none", "relu", _set("lower", "prime", value=2**30), "needs a prime"),
    ("no precision", "balls", _set("lower", "precision", value="all"), "number of bits"),
    ("another quantity", "tanh", _set("quantity", value="width"), "quantity is not known"),
    ("rows of a model rank", "tanh", _set("n_rows", value=8), "number of rows belongs"),
]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [case[1:] for case in TAMPERINGS],
    ids=[case[0] for case in TAMPERINGS],
)
def test_a_tampered_certificate_is_rejected_with_a_sentence(certified, name, change, words):
    model, content = certified(name)
    change(content)
    report = check_certificate(sealed(content), model)
    assert report.rejected
    assert not report.accepted
    assert report.status == 1
    assert words in str(report)


def test_a_change_without_a_new_digest_is_seen_first(certified):
    model, content = certified("tanh")
    content["upper"]["chance"] = 0.5
    assert "changed after it was written" in str(check_certificate(content, model))


def test_a_file_that_is_no_json_is_rejected(tmp_path):
    for text in ("", "[]", "{", "null", '{"format": NaN}'):
        (tmp_path / "c.json").write_text(text)
        assert check_certificate(tmp_path / "c.json", nn.Linear(1, 1)).rejected
    assert check_certificate(tmp_path / "none.json", nn.Linear(1, 1)).rejected


def test_other_parameters_and_another_activation_are_not_the_model(certified):
    _, content = certified("deep")
    other = MODELS["deep"]()
    with torch.no_grad():
        other.layers[0].weight[0, 0] += 2.0**-20
    assert "parameters or buffers" in str(check_certificate(content, other))
    tanh = generic(llr.MLP(2, widths=[3, 2], activation="tanh"))
    assert "The model is not that" in str(check_certificate(content, tanh))


def test_what_cannot_be_a_certificate_is_an_error(tmp_path):
    params = {"a": torch.tensor([1.0, 2.0])}
    x = torch.tensor([[1.0], [2.0], [3.0]])
    result = certify_rank(lambda p, x: x * p["a"][0] + p["a"][1], x, params=params)
    with pytest.raises(InvalidInputError, match=r"needs an nn\.Module"):
        result.save(tmp_path / "c.json")
    with pytest.raises(InvalidInputError, match=r"must be a torch\.nn\.Module"):
        check_certificate(tmp_path / "c.json", lambda x: x)  # pyright: ignore[reportArgumentType]
    fine = certify_rank(llr.PaperTeacherMLP())
    with pytest.raises(InvalidInputError, match="cannot be written"):
        fine.save(tmp_path / "none" / "c.json")


def test_parameters_given_apart_are_those_of_the_certificate(tmp_path):
    model = MODELS["tanh"]()
    doubled = {name: 2 * value.detach() for name, value in model.named_parameters()}
    certify_rank(model, params=doubled).save(tmp_path / "c.json")
    assert check_certificate(tmp_path / "c.json", model).rejected
    model.load_state_dict(doubled)
    assert check_certificate(tmp_path / "c.json", model).accepted
