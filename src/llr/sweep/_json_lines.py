"""The store on a file system: append-only JSON lines, one shard a writer.

A folder holds ``runs/<writer>.jsonl`` (a record a line, flushed and synced), beside it
``histories/<writer>.jsonl`` (loss curves, apart so that records stay small) and
``parameters/<id>.safetensors``. Every line ends in the checksum of what stands before, so a
changed or torn line is never taken for a result. A writer never continues an old shard, so the
only torn line that a killed process can leave is a shard's last one, and that is no damage: its
run is missing and will be trained.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from torch import Tensor

from llr._files import disk_errors, made_folder, sync_folder, written_aside
from llr.errors import StoreError
from llr.sweep._paths import SweepPaths
from llr.sweep._record import history_fault, record_fault, shown, text_fault
from llr.sweep._store import AbstractStore, Damage, Entry, FinishedRun

__all__ = ["JsonLinesStore", "decode_line", "encode_line"]

_CHECKSUM = b',"crc32":"'


class _Place(NamedTuple):
    """Where a record stands."""

    entry: Entry
    shard: int
    offset: int


class JsonLinesStore(AbstractStore):
    """Runs in a folder of JSON lines.

    Args:
        folder: created with the first append.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> store = JsonLinesStore(Path(tempfile.mkdtemp()))
        >>> store.entries, store.damage
        ({}, ())
        >>> store.close()
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = SweepPaths(folder)
        self._shards = self._paths.shards()
        self._places: dict[str, _Place] = {}
        self._damage: list[Damage] = []
        self._writers: dict[str, BinaryIO] = {}
        for number, shard in enumerate(self._shards):
            self._index(number, shard)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every stored run by id."""
        return {run_id: place.entry for run_id, place in self._places.items()}

    @property
    def damage(self) -> Sequence[Damage]:
        """What could not be read when the store was opened."""
        return tuple(self._damage)

    def append(self, runs: Sequence[FinishedRun]) -> None:
        """Keep runs: parameters first, then histories, then records.

        A run counts as stored once its record is written.

        Args:
            runs: with ids of their own.

        Raises:
            StoreError: if they cannot be written; what was stored before is as it was.
        """
        records = [run.record for run in runs]
        for record in records:
            if isinstance(fault := _decode_run(encode_line(record)), str):
                raise StoreError(f"The record of {record.get('id')} must be whole, but it {fault}.")
        for run in runs:
            if run.parameters is not None:
                path = self._parameters_file(run.record["id"])
                made_folder(path.parent)
                with written_aside(path) as file:
                    file.write(run.parameters)
        histories = [
            {"id": run.record["id"], **run.history} for run in runs if run.history is not None
        ]
        self._append("histories", histories)
        offsets = self._append("runs", records)
        for run, offset in zip(runs, offsets, strict=True):
            self._remember(run.record, len(self._shards) - 1, offset)

    def records(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Records of stored runs, read one by one.

        Args:
            ids: of stored runs, in the order wanted.

        Yields:
            One flat row a run.

        Raises:
            StoreError: if a shard was changed after the store was opened.
        """
        readers: dict[int, BinaryIO] = {}
        try:
            for run_id in ids:
                place = self._places[run_id]
                if place.shard not in readers:
                    readers[place.shard] = self._shards[place.shard].open("rb")
                reader = readers[place.shard]
                reader.seek(place.offset)
                record = _decode_run(reader.readline())
                if not isinstance(record, str) and record["id"] != run_id:
                    record = "is that of another run"
                if isinstance(record, str):
                    raise StoreError(
                        f"{self._shards[place.shard]} must not change while a sweep uses it, but "
                        f"the record of {run_id} {record}. Run the same command again."
                    )
                yield record
        except OSError as error:
            raise _unreadable(self._paths.runs, error) from error
        finally:
            for reader in readers.values():
                reader.close()

    def histories(self, ids: Iterable[str]) -> dict[str, dict[str, list[float | None]]]:
        """Losses along runs, those that were kept and can be read, by id."""
        wanted = set(ids)
        found: dict[str, dict[str, list[float | None]]] = {}
        for shard in self._paths.history_shards():
            try:
                with shard.open("rb") as lines:
                    for line in lines:
                        run_id = _id_of(line)
                        if run_id in wanted and (history := _decode_history(line)) is not None:
                            found[run_id] = history
            except OSError as error:
                raise _unreadable(shard, error) from error
        return found

    def parameters(self, run_id: str) -> dict[str, Tensor]:
        """Final parameters of a run by name.

        Raises:
            StoreError: if they were not kept, or cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self._parameters_file(run_id)
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} must be a safetensors file, but it is none.")
        try:
            return load_file(path)
        except FileNotFoundError:
            raise StoreError(
                f"{path} must exist, but the parameters of this run were not kept. Set "
                "output.save_parameters=true before the sweep runs."
            ) from None
        except (SafetensorError, OSError, ValueError) as error:
            raise StoreError(f"{path} must be a safetensors file, but: {error}.") from None

    def close(self) -> None:
        """Release open files; a later append begins a new shard."""
        for writer in self._writers.values():
            with suppress(OSError):  # all that matters was synced, or reported
                writer.close()
        self._writers.clear()

    def _parameters_file(self, run_id: str) -> Path:
        """Where the parameters of a run are.

        Raises:
            StoreError: if the id would lead out of their folder.
        """
        if not run_id.isalnum():
            raise StoreError(f"A run's id must be letters and digits, got {run_id[:80]!r}.")
        return self._paths.parameters / f"{run_id}.safetensors"

    def _index(self, number: int, shard: Path) -> None:
        """Note where every record of a shard stands."""
        offset = 0
        try:
            with shard.open("rb") as lines:
                for line_number, line in enumerate(lines, start=1):
                    record = _decode_run(line)
                    if not isinstance(record, str):
                        self._remember(record, number, offset)
                    elif line.endswith(b"\n"):
                        self._damage.append(Damage(shard, line_number, record))
                    offset += len(line)
        except OSError as error:
            raise _unreadable(shard, error) from error

    def _remember(self, record: dict[str, Any], shard: int, offset: int) -> None:
        """Note where a record stands, unless one that counts is known already."""
        run_id = record["id"]
        known = self._places.get(run_id)
        if known is None or known.entry.failed:
            entry = Entry(record["chunk"], record["status"] == "error")
            self._places[run_id] = _Place(entry, shard, offset)

    def _append(self, kind: str, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Write lines, have them on the disk; where each begins."""
        if not rows:
            return []
        shard = self.folder / kind
        lines = [encode_line(row) for row in rows]
        try:
            with disk_errors(shard):
                writer = self._writer(kind)
                start = writer.tell()
                writer.write(b"".join(lines))
                writer.flush()
                os.fsync(writer.fileno())
        except StoreError:
            self.close()  # what may stand half written must stay the last line of its shard
            raise
        offsets = [start]
        for line in lines[:-1]:
            offsets.append(offsets[-1] + len(line))
        return offsets

    def _writer(self, kind: str) -> BinaryIO:
        """The open shard of this writer, begun when it is first needed."""
        if not self._writers:
            self._shards.append(self._new_shard())
        if kind not in self._writers:
            path = made_folder(self.folder / kind) / self._shards[-1].name
            self._writers[kind] = path.open("xb")
            sync_folder(path.parent)
        return self._writers[kind]

    def _new_shard(self) -> Path:
        """A name that sorts last and that no other writer, on any machine, will choose."""
        numbers = (shard.name.partition("-")[0] for shard in self._shards)
        number = 1 + max((int(text) for text in numbers if text.isdigit()), default=0)
        return self._paths.runs / f"{number:06d}-{secrets.token_hex(4)}.jsonl"


def encode_line(row: dict[str, Any]) -> bytes:
    """One row as a line of JSON that ends in its own checksum."""
    body = json.dumps(row, separators=(",", ":"), allow_nan=False).encode()[:-1]
    return b'%s%s%08x"}\n' % (body, _CHECKSUM, crc32(body))


def decode_line(line: bytes) -> dict[str, Any] | str:
    """The row of a line, or what is wrong with the line."""
    body, checksum, rest = line.rpartition(_CHECKSUM)
    if not checksum or not rest.endswith(b'"}\n'):
        return "is not a whole record"
    if rest[:-3] != b"%08x" % crc32(body):
        return "was changed: its checksum does not fit"
    try:
        row = json.loads(body + b"}")
    except (ValueError, RecursionError):
        return "is not JSON"
    return row if isinstance(row, dict) else "is no record"


def _decode_run(line: bytes) -> dict[str, Any] | str:
    """The record of a line, or what is wrong with it; a checksum that fits proves nothing."""
    record = decode_line(line)
    if isinstance(record, str):
        return record
    fault = record_fault(record)
    if fault is None and text_fault(record.get("chunk")) is not None:
        fault = f"has {shown(record.get('chunk'))} for chunk, which must be a text"
    return record if fault is None else fault


def _decode_history(line: bytes) -> dict[str, list[float | None]] | None:
    """The losses in a line; None if they are damaged."""
    row = decode_line(line)
    if isinstance(row, str):
        return None
    history = {name: column for name, column in row.items() if name != "id"}
    return history if history_fault(history) is None else None


def _unreadable(path: Path, error: OSError) -> StoreError:
    """An error of the operating system as a sentence."""
    return StoreError(f"{path} must be readable, but: {error.strerror or error}.")


def _id_of(line: bytes) -> str | None:
    """The id of a line, which comes first in it, without reading the rest."""
    prefix = b'{"id":"'
    if not line.startswith(prefix):
        return None
    return line[len(prefix) : line.find(b'"', len(prefix))].decode(errors="replace")
