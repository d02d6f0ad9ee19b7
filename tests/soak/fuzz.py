"""Everything that reads a file, fed by atheris: bytes that reach new branches, minute after minute.

    python fuzz.py TARGET FOLDER [libFuzzer options]

A file is read, or refused by an LLRError; any other exception ends the process.
"""

import contextlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["llr", "ruamel"]):
    from llr.config import load_config
    from llr.data import module_from_weights, read_weights
    from llr.errors import LLRError
    from llr.sweep import JsonLinesStore, load_results


def config(folder, data):
    path = folder / "config.yaml"
    path.write_bytes(data)
    load_config(path)


def store(folder, data):
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs" / "000001-0.jsonl").write_bytes(data)
    opened = JsonLinesStore(folder)
    assert len(list(opened.records(opened.entries))) == len(opened.entries)


def results(folder, data):
    (folder / "results.json").write_bytes(data)
    load_results(folder)


def weights(folder, data):
    suffix = (".yaml", ".pt", ".safetensors")[data[0] % 3 if data else 0]
    path = folder / f"weights{suffix}"
    path.write_bytes(data[1:])
    module_from_weights(read_weights(path))


TARGETS = {target.__name__: target for target in (config, store, results, weights)}

if __name__ == "__main__":
    _, name, place, *options = sys.argv

    def once(data):
        with contextlib.suppress(LLRError):
            TARGETS[name](Path(place), data)

    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()
