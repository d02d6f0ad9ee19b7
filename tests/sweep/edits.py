"""Seeded edits of a stored sweep: any file of it, in bytes and values, checksums right."""

import json
import os
import random
import shutil
from pathlib import Path

from llr.sweep import SweepPaths
from llr.sweep._json_lines import decode_line, encode_line

DEEP = json.loads("[" * 400 + "]" * 400)
ODD = [
    *(None, True, False, 0, -1, 1, 2.5, -0.0, 1e-320, 1e308, float("inf"), float("nan")),
    *(2**31, 2**63 - 1, 2**63, -(2**63), 10**400, "", "x", "mlp", "converged", "error"),
    *("diverged", "\ud800", "a\0b", "$x^{", "<b>&amp;", "../../x", "\u202e", "7", "1e-3"),
    *("y" * 20_000, [], {}, [1], {"a": 1}, [[]], DEEP, ["\ud800"], {"\ud800": 1}),
]


def edited(template, folder, seed):
    """Copy a sweep's folder and edit one file of it; says what was done."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    rng = random.Random(seed)
    paths = SweepPaths(folder)
    if rng.random() < 0.4:
        paths.results.unlink()
    files = [paths.config, *paths.shards(), *paths.history_shards()]
    files += [paths.results] * 4 * paths.results.exists() + paths.shards()
    files += rng.sample(sorted(paths.parameters.iterdir()), 1)
    file = rng.choice(files)
    lines = file.suffix == ".jsonl"
    kinds = [in_bytes, in_place] if file.suffix in (".yaml", ".safetensors") else []
    kinds = kinds or [in_lines if lines else in_json] * 6 + [in_bytes, in_place]
    return f"{file.relative_to(folder)}: {rng.choice(kinds)(file, rng)}"


def in_json(file, rng):
    """One or more values of a JSON file."""
    value = json.loads(file.read_bytes())
    done = [in_value(value, rng) for _ in range(rng.choice([1, 1, 1, 2, 5]))]
    file.write_text(json.dumps(value))
    return "; ".join(done)


def in_lines(file, rng):
    """Values of some lines of a shard, each sealed again with its checksum."""
    rows = [decode_line(line) for line in file.read_bytes().splitlines(keepends=True)]
    done = []
    for row in rng.sample(rows, rng.choice([1, 1, 2, len(rows)])):
        done.append(in_value(row, rng))
    file.write_bytes(b"".join(sealed(row) for row in rows))
    return "; ".join(done)


def sealed(row):
    """A line whose checksum fits, also where it holds what is not valid JSON."""
    try:
        return encode_line(row)
    except ValueError:
        from zlib import crc32

        body = json.dumps(row, separators=(",", ":")).encode()[:-1]
        return b'%s,"crc32":"%08x"}\n' % (body, crc32(body))


def in_value(value, rng):
    """Replace, remove or add something at a random place, in place."""
    place, where = value, ""
    while isinstance(place, (dict, list)) and place:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = rng.choice(keys)
        inner = place[key]
        if not (isinstance(inner, (dict, list)) and inner) or rng.random() < 0.1:
            break
        place, where = inner, f"{where}[{key!r}]"
    else:
        return "nothing to edit"
    new = rng.choice(ODD)
    action = rng.choice(["replace"] * 6 + ["remove", "add", "repeat"])
    if action == "replace":
        place[key] = new
    elif action == "remove":
        del place[key]
    elif isinstance(place, list):
        place.append(new if action == "add" else place[key])
    else:
        place[rng.choice(["x", "setting", "error", "seed", "lr", "\ud800"])] = new
    return f"{action} {where}[{key!r}] {ascii(new)[:30]}"


def in_bytes(file, rng):
    """Cut, flip, repeat or insert bytes."""
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data) or 1)
    action = rng.choice(["cut", "flip", "insert", "repeat", "empty"])
    if action == "cut":
        data = data[:at]
    elif action == "flip":
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif action == "insert":
        data[at:at] = rng.choice([b"\0", b"\xff\xfe", b"\n", b"NaN", b"[[[[", b'"', b"1e999"])
    elif action == "repeat":
        data = data * 2
    else:
        data = bytearray()
    file.write_bytes(data)
    return action


def in_place(file, rng):
    """Something else in the place of a file."""
    action = rng.choice(["folder", "nothing", "dangling link", "device", "pipe", "unreadable"])
    mode = file.stat().st_mode
    file.unlink()
    if action == "folder":
        file.mkdir()
    elif action == "dangling link":
        file.symlink_to("nowhere")
    elif action == "device":
        file.symlink_to("/dev/zero")
    elif action == "pipe":
        os.mkfifo(file)
    elif action == "unreadable":
        Path(file).touch(mode=0)
        file.chmod(mode & 0o222)
    return action
