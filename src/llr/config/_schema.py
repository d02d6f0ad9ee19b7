"""The config of an experiment: sections, keys, what each may be, and what null stands for."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

from llr._yaml import write_yaml
from llr.config._choices import (
    OPTIMIZER_ALIASES,
    OPTIMIZERS,
    DistributionName,
    InitName,
    OptimizerName,
)
from llr.config._fields import Choice, Flag, Integer, ListOf, Number, SeedList, Text
from llr.data import RANDOM_TARGET_MODELS, TARGET_NAMES, RandomTargetModel, TargetName
from llr.models import ACTIVATIONS, MODEL_NAMES, ModelName
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
Optimizers: TypeAlias = Annotated[
    OptimizerName, Choice(get_args(OptimizerName), tuple(OPTIMIZER_ALIASES.items()))
]
Model: TypeAlias = Annotated[ModelName, Choice(MODEL_NAMES)]
ActivationName: TypeAlias = Annotated[str, Choice(tuple(ACTIVATIONS))]
Widths: TypeAlias = Annotated[tuple[Size, ...], ListOf("integers >= 1", "[50, 20]", repeats=True)]
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
    ] = Field(default="experiment", examples=["wide"])
    """Name of the experiment, and of the folder of its results inside output.dir."""
    seed: Seed = Field(default=0, examples=[7])
    """Seed of random targets, of the single run, and first seed of a sweep."""
    device: Annotated[
        str, Text("cpu, cuda or cuda:N with N a device number", r"cpu|cuda(:\d{1,3})?")
    ] = Field(default="cpu", examples=["cuda"])
    """Where to train; results do not depend on it beyond rounding."""


class DataConfig(_Section):
    """Inputs, target and sample sizes."""

    input_dim: Size = Field(default=5, examples=[3])
    """d, the number of inputs; for 2-d inputs and matrices the side length."""
    train_size: Size | None = Field(default=None, examples=[12])
    """n, the training samples of the single run. Default: 20, or all entries where there are
    fewer."""
    test_size: Size | None = Field(default=None, examples=[500])
    """Test samples. Default: 1000; with distribution = entries, the whole matrix."""
    distribution: Annotated[DistributionName, Choice(get_args(DistributionName))] = Field(
        default="normal", examples=["uniform"]
    )
    """How inputs are drawn: standard normal, uniform, on a regular grid, or as distinct random
    entries of a matrix. With any of the first three, a matrix M is measured by u^T M v at inputs
    (u, v)."""
    low: Finite | None = Field(default=None, examples=[-2.0])
    """Lower end of uniform and grid inputs. Default: -1; other distributions have none."""
    high: Finite | None = Field(default=None, examples=[2.0])
    """Upper end of uniform and grid inputs. Default: 1; other distributions have none."""
    entries: (
        Annotated[tuple[Entry, ...], ListOf("[row, column] pairs", "[[3, 1], [4, 3]]")] | None
    ) = Field(default=None, examples=[[[3, 1], [4, 3]]])
    """Entries of a matrix to observe, in this order; rows and columns count from 1. Default:
    random ones."""
    target: Annotated[TargetName, Choice(TARGET_NAMES)] = Field(
        default="paper", examples=["random"]
    )
    """The function to recover: paper (a sum of tanh neurons), three_bumps, affine, random, file
    (weights of your own), or one of the papers' matrices M1 to M8."""
    target_model: Annotated[RandomTargetModel, Choice(RANDOM_TARGET_MODELS)] | None = Field(
        default=None, examples=["cnn_shared"]
    )
    """What a random target is. Default: mlp; for 2-d inputs cnn_shared_2d, for matrices matrix."""
    target_activation: ActivationName | None = Field(default=None, examples=["relu"])
    """Activation of a random network target. Default: model.activation."""
    target_depth: Annotated[int, Integer(2, 1000)] | None = Field(default=None, examples=[4])
    """Layers of weights of a random deep_mlp target. Default: those of the model."""
    target_width: Size | None = Field(default=None, examples=[2])
    """k, the neurons or kernels of a random target, its rank, or its number of nonzero
    coefficients. Default: 1."""
    target_kernel_size: Size | None = Field(default=None, examples=[2])
    """Kernel size of a random convolutional target. Default: 3."""
    target_bias: Bool | None = Field(default=None, examples=[True])
    """Whether the hidden units of a random network target have biases. Default: false."""
    target_coefficients: (
        Annotated[tuple[Finite, ...], ListOf("numbers", "[1, 0.5, 0]", repeats=True)] | None
    ) = Field(default=None, examples=[[1.0, 0.5, 0.0]])
    """c_0, c_1, ..., c_d of an affine target c_0 + c_1 x_1 + ... + c_d x_d. Default: none; an
    affine target needs them."""
    target_path: Annotated[str, Text("a path")] | None = Field(
        default=None, examples=["target.yaml"]
    )
    """Weights file of a file target, relative to the current folder. Default: none; a file target
    needs it."""
    noise_std: NonNegative = Field(default=0.0, examples=[0.01])
    """Standard deviation of the normal noise that is added to the training values."""


class ModelConfig(_Section):
    """The network: architecture and sizes."""

    type: Model = Field(default="mlp", examples=["cnn_shared"])
    """Architecture of the single run."""
    activation: ActivationName | None = Field(default=None, examples=["relu"])
    """Activation of the hidden units. Default: tanh for networks; other models have none."""
    scale: Size | None = Field(default=None, examples=[3])
    """N of the papers' "Nx" sizes: N kernels, or N (d - s + 1) neurons. Default: 10, unless width
    is given."""
    width: Size | None = Field(default=None, examples=[50])
    """Number of hidden neurons or kernels, or the inner dimension of a factorisation; in place of
    a scale. Default: from the scale; for matrix_factorization, input_dim."""
    widths: Widths | None = Field(default=None, examples=[[50, 20]])
    """The width of each hidden layer of deep_mlp; in place of scale, width and depth. Default:
    none; all hidden layers have one width."""
    kernel_size: Size = Field(default=3, examples=[2])
    """s, the kernel size of convolutions; it also enters the number of neurons of a scaled mlp."""
    depth: Annotated[int, Integer(1, 1000)] | None = Field(default=None, examples=[4])
    """Layers of weights of deep_mlp (at least 2) and diagonal. Default: 3, unless widths are
    given."""
    hidden_bias: Bool = Field(default=True, examples=[False])
    """Whether hidden units have a bias."""
    output_bias: Bool = Field(default=False, examples=[True])
    """Whether the output has a bias."""


class TrainingConfig(_Section):
    """The optimizer and when to stop."""

    optimizer: Optimizers = Field(default="gradient_descent", examples=["gradient_flow"])
    """What is computed: full-batch gradient descent, Adam, or the gradient flow."""
    lr: Positive | None = Field(default=None, examples=[0.05])
    """Learning rate. Default: 0.1 for gradient_descent, 0.001 for adam; the gradient flow has
    none."""
    max_steps: Annotated[int, Integer(0)] | None = Field(default=None, examples=[50000])
    """Number of steps at which a run stops. Default: 20000; for gradient_flow 100000 solver
    steps."""
    tol: NonNegative | None = Field(default=None, examples=[1e-8])
    """Training MSE at which a run has converged. Default: 1e-10; for gradient_flow 1e-20."""
    weight_decay: NonNegative = Field(default=0.0, examples=[1e-4])
    """Coefficient of the parameters that is added to the gradient."""
    dropout: Annotated[float, Number(minimum=0, below=1)] | None = Field(
        default=None, examples=[0.1]
    )
    """Probability of dropping a hidden unit in a step. Default: 0; the gradient flow has none."""
    max_time: NonNegative | None = Field(default=None, examples=[1e6])
    """Training time t at which the gradient flow stops. Default: 1e8 for gradient_flow; the others
    have none."""
    rtol: Annotated[float, Number(above=0, below=1)] | None = Field(default=None, examples=[1e-5])
    """Relative tolerance of a solver step. Default: 1e-4 for gradient_flow; the others have
    none."""
    atol: Positive | None = Field(default=None, examples=[1e-12])
    """Absolute tolerance of a solver step of gradient_flow. Default: 0.01 rtol times the initial
    size of the parameters."""

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

    method: Annotated[InitName, Choice(get_args(InitName))] = Field(
        default="normal", examples=["near_target"]
    )
    """How initial parameters are drawn: normal takes each from N(0, std^2), default leaves each
    layer to PyTorch, near_target adds N(0, std^2) to the target's parameters of least model
    rank."""
    std: NonNegative | None = Field(default=None, examples=[0.01])
    """Standard deviation of the normal draws. Default: 1e-10, for near_target 1e-4; the method
    default has none."""


class SweepConfig(_Section):
    """The grid of a sweep: models x scales x sample sizes x initial stds x seeds."""

    enabled: Bool | None = Field(default=None, examples=[False])
    """Whether there is a sweep; the single run ignores this section. Default: true where any other
    key of the section is given."""
    models: Annotated[tuple[Model, ...], ListOf("models", "[mlp, cnn_shared]")] | None = Field(
        default=None, examples=[["mlp", "cnn_shared"]]
    )
    """Architectures of the grid. Default: mlp, cnn_shared and cnn_noshare where they fit the data,
    otherwise model.type."""
    scales: Sizes | None = Field(default=None, examples=[[1, 3, 10]])
    """Scales of the grid. Default: model.scale."""
    sample_sizes: Sizes = Field(default=(5, 10, 20, 50, 100, 200), examples=[[6, 7, 8]])
    """Numbers of training samples of the grid."""
    init_stds: (
        Annotated[tuple[NonNegative, ...], ListOf("numbers >= 0", "[1e-10, 1e-2]")] | None
    ) = Field(default=None, examples=[[1e-10, 1e-2]])
    """Standard deviations of the initialisation in the grid. Default: init.std."""
    seeds: Annotated[int | tuple[int, ...], SeedList()] = Field(default=5, examples=[20])
    """How many seeds, counted from experiment.seed, or a list of seeds."""


class OutputConfig(_Section):
    """Where results go."""

    dir: Annotated[str, Text("a path")] = Field(default="outputs", examples=["results"])
    """Folder of all experiments, relative to the current folder."""
    save_parameters: Bool = Field(default=False, examples=[True])
    """Whether to keep the final parameters of every run."""


class ExecutionConfig(_Section):
    """How runs are executed; results do not depend on it, and it is no part of their identity."""

    engine: Annotated[EngineChoice, Choice(get_args(EngineChoice))] = Field(
        default="auto", examples=["torch"]
    )
    """Training engine; auto takes the fastest that can train the runs."""
    executor: Annotated[ExecutorChoice, Choice(get_args(ExecutorChoice))] = Field(
        default="auto", examples=["processes"]
    )
    """Where runs are trained: in this process, in a pool of processes, or on Ray; auto chooses
    between the first two by the amount of work."""
    address: (
        Annotated[str, Text("auto or host:port of a Ray cluster", r"auto|[A-Za-z0-9_.-]+:\d{1,5}")]
        | None
    ) = Field(default=None, examples=["10.0.0.1:6379"])
    """Ray cluster to join, with executor: ray. Default: a Ray on this machine, started for this
    sweep."""
    workers: Annotated[int, Integer(1, 10**4)] | None = Field(default=None, examples=[4])
    """Worker processes. Default: as many as there are processors."""
    threads: Annotated[int, Integer(1, 10**4)] | None = Field(default=None, examples=[2])
    """CPU threads per worker. Default: processors divided by workers."""
    batch_size: Size | None = Field(default=None, examples=[16])
    """Runs trained at once. Default: chosen by their size."""


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
