"""The command ``llr``: parse, call, print. Commands load on first use, so help is immediate."""

from llr.cli._group import CommandGroup

__all__ = ["main"]

COMMANDS = {
    "train": ("llr.cli._train:train", "Train the single run that a config describes."),
    "sweep": (
        "llr.cli._sweep:sweep",
        "Train every run of a config's grid; go on where it stopped.",
    ),
    "plot": ("llr.cli._plot:plot", "Draw a sweep's figures from its results, without training."),
    "report": ("llr.cli._report:report", "Write a sweep as one HTML file."),
    "watch": ("llr.cli._report:watch", "Show a running sweep in the browser."),
    "export": ("llr.cli._export:export", "Write a sweep's runs as one table, parquet or CSV."),
    "config": ("llr.cli._config:config", "Show a config with every default filled in."),
    "verify": ("llr.cli._verify:verify", "Check in seconds that this installation computes right."),
    "theory": ("llr.cli._theory:theory", "Optimistic sample sizes from closed forms."),
    "rank": ("llr.cli._rank:rank", "Measure a model rank."),
    "condense": (
        "llr.cli._condense:condense",
        "Find the narrowest network with almost the same function.",
    ),
    "check": ("llr.cli._rank:check", "Check a local linear recovery guarantee on samples."),
    "certify": ("llr.cli._certify:certify", "Prove a rank, and write the certificate."),
    "check-certificate": (
        "llr.cli._certify:check_certificate",
        "Check a certificate of a rank independently.",
    ),
    "reproduce": (
        "llr.cli._reproduce:reproduce",
        "Make one of the papers' results again, and judge it.",
    ),
    "warmup": (
        "llr.cli._warmup:warmup",
        "Compile the descent and flow engines ahead of time.",
    ),
}
"""Name -> (module:attribute, help in one line), in the order of ``llr --help``."""

main = CommandGroup(
    "llr",
    commands=COMMANDS,
    help="How many samples does a network need to recover its target? Optimistic sample sizes, "
    "model ranks, and the training runs that test them.",
)
