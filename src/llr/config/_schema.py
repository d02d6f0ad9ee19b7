"""The config of an experiment: sections, keys, what each may be, and what null stands for."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from llr._yaml import write_yaml
from llr.config._choices import OPTIMIZERS, DistributionName, InitName, OptimizerName
from llr.config._fields import Choice, Flag, Integer, ListOf, Number, SeedList, Text
from llr.data import RANDOM_TARGET_MODELS, TARGET_NAMES, RandomTargetModel, TargetName
from llr.models import MODEL_NAMES, ModelName
from llr.training import Optimizer

__all__ = [
    "Config",
    "DataConfig",
    "ExecutionConfig",
    "ExperimentConfig",
    "InitConfig",
    "ModelConfig",
    "OutputConfig",
    "SweepConfig",
    "TrainingConfig",
]

EngineChoice = Literal["auto", "torch", "compiled", "flow"]
ExecutorChoice = Literal["auto", "in_process", "processes", "ray"]

Size: TypeAlias = Annotated[int, Integer(1, 10**9)]
Seed: TypeAlias = Annotated[int, Integer(0)]
Positive: TypeAlias = Annotated[float, Number(above=0)]
NonNegative: TypeAlias = Annotated[float, Number(minimum=0)]
Finite: TypeAlias = Annotated[float, Number()]
Bool: TypeAlias = Annotated[bool, Flag()]
Model: TypeAlias = Annotated[ModelName, Choice(MODEL_NAMES)]
Sizes: TypeAlias = Annotated[tuple[Size, ...], ListOf("integers >= 1", "[5, 10, 20]")]
Entry: TypeAlias = Annotated[
    tuple[Size, Size], ListOf("a row and a column", "[3, 1]", length=2, repeats=True)
]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def filled_in(self, **defaults: Any) -> Self:
        """A copy in which those of the given keys that are null have these values."""
        missing = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return self.model_copy(update=missing)


class ExperimentConfig(_Section):
    """What the experiment is called, its seed and its device."""

    name: Annotated[
        str,
        Text(
            "a folder name of letters, digits, spaces and . _ - + =, at most 100 characters",
            r"[A-Za-z0-9_][A-Za-z0-9_.+= -]{0,99}",
        ),
    ] = "experiment"
    """Folder of the results inside output.dir."""
    seed: Seed = 0
    """Seed of random targets, of the single run, and first seed of a sweep."""
    device: Annotated[
        str, Text("cpu, cuda or cuda:N with N a device number", r"cpu|cuda(:\d{1,3})?")
    ] = "cpu"
    """Where to train; results do not depend on it, beyond rounding."""


class DataConfig(_Section):
    """Inputs, target and sample sizes."""

    input_dim: Size = 5
    """d: number of inputs; side length of 2-d inputs and of matrices."""
    train_size: Size | None = None
    """n: training samples of the single run, default 20 (entries: no more than there are)."""
    test_size: Size | None = None
    """Test samples, default 1000; entries: all of the matrix."""
    distribution: Annotated[DistributionName, Choice(get_args(DistributionName))] = "normal"
    """Of the inputs; entries: distinct random entries of a matrix, whose inputs (u, v) otherwise
    measure u^T M v."""
    low: Finite | None = None
    """Lower end of uniform and grid inputs, default -1."""
    high: Finite | None = None
    """Upper end of uniform and grid inputs, default 1."""
    entries: (
        Annotated[tuple[Entry, ...], ListOf("[row, column] pairs", "[[3, 1], [4, 3]]")] | None
    ) = None
    """Entries to observe, in this order, rows and columns counted from 1; default: random."""
    target: Annotated[TargetName, Choice(TARGET_NAMES)] = "paper"
    """The function to recover."""
    target_model: Annotated[RandomTargetModel, Choice(RANDOM_TARGET_MODELS)] | None = None
    """What a random target is, default mlp (2-d models: cnn_shared_2d, matrices: matrix)."""
    target_width: Size | None = None
    """k: neurons or kernels of a random target, its rank or its sparsity; default 1."""
    target_kernel_size: Size | None = None
    """Kernel size of a random convolutional target, default 3."""
    target_bias: Bool | None = None
    """Whether the hidden units of a random network target have biases, default false."""
    target_coefficients: (
        Annotated[tuple[Finite, ...], ListOf("numbers", "[1, 0.5, 0]", repeats=True)] | None
    ) = None
    """c_0, c_1, ..., c_d of an affine target."""
    target_path: Annotated[str, Text("a path")] | None = None
    """Weights file of a file target, relative to the current folder."""
    noise_std: NonNegative = 0.0
    """Standard deviation of normal noise on the training values."""


class ModelConfig(_Section):
    """The network: architecture and sizes."""

    type: Model = "mlp"
    """Architecture of the single run."""
    scale: Size | None = None
    """N of the papers' "Nx" sizes: N kernels, or N (d - s + 1) neurons; default 10."""
    width: Size | None = None
    """Neurons, kernels or inner dimension, instead of a scale."""
    kernel_size: Size = 3
    """s: kernel size of convolutions, and in the scaled width of the mlp."""
    depth: Annotated[int, Integer(1, 1000)] = 3
    """Layers of weights of deep_mlp (at least 2) and diagonal."""
    hidden_bias: Bool = True
    """Whether hidden units have a bias."""
    output_bias: Bool = False
    """Whether the output has a bias."""


class TrainingConfig(_Section):
    """The optimizer and when to stop."""

    optimizer: Annotated[OptimizerName, Choice(get_args(OptimizerName))] = "sgd"
    """Full-batch gradient descent, Adam, or the gradient flow."""
    lr: Positive | None = None
    """Learning rate, default 0.1 (sgd), 0.001 (adam); the gradient flow has none."""
    max_steps: Annotated[int, Integer(0)] | None = None
    """Most steps, default 20000 (gradient_flow: 100000 solver steps)."""
    tol: NonNegative | None = None
    """A run has converged at this training MSE, default 1e-10 (gradient_flow: 1e-20)."""
    weight_decay: NonNegative = 0.0
    """Coefficient of the parameters in each step."""
    dropout: Annotated[float, Number(minimum=0, below=1)] | None = None
    """Probability of dropping a hidden unit in a step, default 0."""
    max_time: NonNegative | None = None
    """Flow time at which to stop; gradient_flow only, default 1e8."""
    rtol: Annotated[float, Number(above=0, below=1)] | None = None
    """Relative tolerance of a solver step; gradient_flow only, default 1e-4."""
    atol: Positive | None = None
    """Absolute tolerance of a solver step; gradient_flow only, default: from the initial size."""

    def build(self) -> Optimizer:
        """The optimizer with its parameters."""
        kind = OPTIMIZERS[self.optimizer]
        return kind(**{name: getattr(self, name) for name in self.parameters()})

    def parameters(self) -> tuple[str, ...]:
        """Keys that mean something to the optimizer."""
        known = {field.name for field in fields(OPTIMIZERS[self.optimizer])}
        return tuple(name for name in type(self).model_fields if name in known)


class InitConfig(_Section):
    """How parameters are drawn."""

    method: Annotated[InitName, Choice(get_args(InitName))] = "normal"
    """Every parameter from N(0, std^2); PyTorch's default for each layer; or near_target: the
    target's parameters of least model rank, plus N(0, std^2) on every one."""
    std: NonNegative | None = None
    """Standard deviation of the normal draws, default 1e-10 (near_target: 1e-4)."""


class SweepConfig(_Section):
    """The grid of a sweep: models x scales x sample sizes x initial stds x seeds."""

    enabled: Bool | None = None
    """Whether there is a sweep, default: true where any other key of this section is given. The
    single run ignores this section."""
    models: Annotated[tuple[Model, ...], ListOf("models", "[mlp, cnn_shared]")] | None = None
    """Architectures; default: mlp, cnn_shared, cnn_noshare, or model.type if it is another."""
    scales: Sizes | None = None
    """Scales; default: model.scale."""
    sample_sizes: Sizes = (5, 10, 20, 50, 100, 200)
    """Training samples."""
    init_stds: (
        Annotated[tuple[NonNegative, ...], ListOf("numbers >= 0", "[1e-10, 1e-2]")] | None
    ) = None
    """Standard deviations of the initialisation; default: init.std."""
    seeds: Annotated[int | tuple[int, ...], SeedList()] = 5
    """How many seeds, counted from experiment.seed, or a list of seeds."""


class OutputConfig(_Section):
    """Where results go."""

    dir: Annotated[str, Text("a path")] = "outputs"
    """Folder of all experiments, relative to the current folder."""
    save_parameters: Bool = False
    """Whether to keep every run's final parameters."""


class ExecutionConfig(_Section):
    """How runs are executed; results do not depend on it, and it is no part of their identity."""

    engine: Annotated[EngineChoice, Choice(get_args(EngineChoice))] = "auto"
    """Training engine; auto: the fastest that can train the runs."""
    executor: Annotated[ExecutorChoice, Choice(get_args(ExecutorChoice))] = "auto"
    """Who works: this process, a pool of processes, or Ray (see address)."""
    address: (
        Annotated[str, Text("auto or host:port of a Ray cluster", r"auto|[A-Za-z0-9_.-]+:\d{1,5}")]
        | None
    ) = None
    """Ray cluster to join; ray only, default: a Ray on this machine, for this sweep."""
    workers: Annotated[int, Integer(1, 10**4)] | None = None
    """Worker processes, default: as many as there are processors."""
    threads: Annotated[int, Integer(1, 10**4)] | None = None
    """CPU threads a worker, default: processors divided by workers."""
    batch_size: Size | None = None
    """Runs trained at once, default: chosen by size."""


class Config(_Section):
    """A whole config, section by section; frozen.

    Build one with :func:`load_config` or :func:`parse_config`: they fill in the defaults that
    depend on other keys, refuse contradictions, and say in sentences what is wrong. In a complete
    config, a key that has no meaning beside the others is None.
    """

    experiment: ExperimentConfig = Field(default_factory=ExperimentConfig)
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    init: InitConfig = Field(default_factory=InitConfig)
    sweep: SweepConfig = Field(default_factory=SweepConfig)
    output: OutputConfig = Field(default_factory=OutputConfig)
    execution: ExecutionConfig = Field(default_factory=ExecutionConfig)

    @property
    def all_models(self) -> tuple[ModelName, ...]:
        """The single run's model, and the sweep's where there is one."""
        swept = self.sweep.models if self.sweep.enabled else None
        return tuple(dict.fromkeys((self.model.type, *(swept or ()))))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the sweep."""
        if isinstance(self.sweep.seeds, tuple):
            return self.sweep.seeds
        first = self.experiment.seed
        return tuple(range(first, first + self.sweep.seeds))

    def to_dict(self) -> dict[str, Any]:
        """Sections of plain values; keys without a meaning are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of a config file, for editors."""
        dialect = "https://json-schema.org/draft/2020-12/schema"
        return {"$schema": dialect, **cls.model_json_schema(), "title": "llr config"}

    def to_yaml(self) -> str:
        """The resolved config as YAML that loads to an equal config."""
        return write_yaml(self.to_dict())
