"""The processed corpus: what stage 1 writes and everything after it reads.

A folder `<processed_dir>/<dataset>/` holds meta.json, a manifest (utterances-<checksum>.arrow) with a row for each
utterance, and shards/, whose files hold the audio and F0 of some neighbouring utterances each. The files of the last
two never change; meta.json names the manifest and the manifest the shards, so that writing meta.json is what makes a
corpus of them. The formats are in processors/store.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from config.schema import ExperimentConfig, PreprocessConfig
from utils.errors import OwnError, UserError, one_line
from utils.files import project_path, read_json, regular, shown, write_json

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 2
# Counts changes of the code that change what stage 1 makes of the same recording and the same config.
FEATURES_VERSION = 3

SPLITS = ("train", "valid", "test")
META, SHARDS, SKIPPED, NOTED, REPORT = "meta.json", "shards", "skipped.jsonl", "noted.jsonl", "report.txt"
LONGEST_ID = 200  # bytes
SLICE = 100_000  # utterances that are looked at at once where copies of their texts or tokens would fill the memory

# Keys that decide what becomes of one utterance.
UTTERANCE_KEYS = (
    *("phone_extractor", "language", "lexicon_path", "tokens_path"),
    *("sample_rate", "remove_dc", "highpass_hz", "trim_silence", "trim_top_db", "trim_margin", "target_level_db"),
    *("n_fft", "win_size", "hop_size", "f0_min", "f0_max"),
    *("min_seconds", "max_seconds", "max_chars_per_second", "silence_level_db", "max_clipped_fraction"),
)
# Keys that only decide which split it lands in.
SPLIT_KEYS = ("valid_size", "test_size", "max_held_out_fraction", "split_seed")
# Keys that nothing stored depends on: mel spectra are computed from the audio where it is needed.
NEUTRAL_KEYS = ("processed_dir", "num_workers", "engine", "n_mel", "fmin", "fmax")


@dataclass(frozen=True)
class Utterance:
    """One row of the manifest; `length` in samples."""

    row: int
    id: str
    text: str
    normalised: str
    phones: tuple[str, ...]
    speaker: str
    language: str
    split: str
    frames: int
    length: int


class ProcessedCorpus:
    """An opened corpus; all its files are memory-mapped, so that opening costs no memory."""

    def __init__(self, directory: Path, meta: dict[str, Any], manifest: pa.RecordBatch) -> None:
        from processors.store import shard_arrays  # speaking, which opens no corpus, need not import pyarrow

        self.directory, self._manifest = directory, manifest
        self.tokens: list[str] = meta["tokens"]
        self.statistics: dict[str, float] = meta["statistics"]
        self.sample_rate: int = meta["sample_rate"]
        self.hop_size: int = meta["hop_size"]
        self.fingerprint: str = meta["fingerprint"]
        self.source: str = meta["source"]  # digest of the recordings and texts
        self.espeak: str = meta.get("espeak", "")  # release of espeak-ng that read its texts, if any did
        self._shard_of, self._shards = self.codes("shard")
        self._arrays = lru_cache(maxsize=2048)(shard_arrays)
        self._manifest_name: str = meta["manifest"]
        self._token_counts: list[int] | None = meta.get("token_counts")
        self.first_frame, self.frames = self.column("first_frame"), self.column("frames")
        # The first corpora of this format have a checksum of each shard only.
        self._checksums = self.column("checksum") if "checksum" in manifest.schema.names else None

    @classmethod
    def open(cls, directory: Path, preprocess: PreprocessConfig | None = None) -> ProcessedCorpus:
        """Open the corpus in `directory`.

        Raises UserError when it is missing, unfinished or damaged, or when `preprocess` is given and asks for other
        features than the folder holds. The shards are not looked at: `check` does that.
        """
        from processors.store import is_whole, read_batch

        directory = Path(directory)
        meta = read_meta(directory)
        if preprocess is not None and meta["fingerprint"] != fingerprint(preprocess):
            keys = UTTERANCE_KEYS + SPLIT_KEYS
            before, now = meta.get("preprocess") or {}, feature_values(preprocess, keys)
            changed = [f"preprocess.{key}" for key in keys if before and before.get(key) != now.get(key)]
            reason = f"{', '.join(changed)} changed" if changed else "they were made by another version"
            raise UserError(f"the features in {directory} are stale ({reason}): run stage 1 again")
        path = directory / meta["manifest"]
        if not is_whole(path):
            raise _damaged(path)
        return cls(directory, meta, read_batch(path))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def files(self) -> set[Path]:
        """Manifest and shards."""
        return {self.directory / self._manifest_name, *map(self._shard, self._shards)}

    def check(self) -> None:
        """Compare all shards with their checksums, at the speed of the disk; UserError for a damaged one."""
        from processors.store import first_damaged

        if path := first_damaged(list(map(self._shard, self._shards))):
            raise _damaged(path)

    def check_for_training(self, speaker: str | None = None) -> None:
        """Look whether all shards are there, and at the names of speakers; `arrays` compares what it reads.

        :param speaker: what the config makes of them, in which "*" stands for the corpus' own.
        :raises UserError: a missing shard (in a corpus without a checksum of each utterance: a damaged one); speakers
            of other names.
        """
        there = set(os.listdir(self.directory / SHARDS)) if (self.directory / SHARDS).is_dir() else set()
        if missing := next((name for name in self._shards if name not in there), None):
            raise _damaged(self._shard(missing))
        if self._checksums is None:
            self.check()
        pattern = (speaker or "*").strip().replace("[", "[[]")
        if others := [name for name in self.present("speaker") if not fnmatchcase(name, pattern)]:
            raise UserError(
                f"the features in {shown(self.directory)} know speaker {min(others)!r}, and the config calls speakers "
                f"of this corpus {speaker!r}: run stage 1 again"
            )

    def column(self, name: str) -> np.ndarray:
        """A column of numbers of the manifest (utterances,)."""
        return self._manifest.column(name).to_numpy()

    def strings(self, name: str, rows: np.ndarray) -> list[str]:
        """Some rows of a column of texts: "id", "text" or "normalised"."""
        return self._manifest.column(name).take(rows).to_pylist()

    def codes(self, column: str) -> tuple[np.ndarray, list[str]]:
        """Of "speaker", "language", "split" or "shard": numbers (utterances,) of the names that come second."""
        stored = self._manifest.column(column)
        return stored.indices.to_numpy(), stored.dictionary.to_pylist()

    def names(self, column: str, rows: np.ndarray | None = None) -> np.ndarray:
        """The same as names, of some rows or of all (utterances,), as objects."""
        numbers, names = self.codes(column)
        return np.array(names, object)[numbers if rows is None else numbers[rows]]

    def present(self, column: str) -> list[str]:
        """The different names in a column of them."""
        numbers, names = self.codes(column)
        return [names[number] for number in np.flatnonzero(np.bincount(numbers, minlength=len(names)))]

    @cached_property
    def phones(self) -> tuple[np.ndarray, np.ndarray]:
        """Token numbers of all utterances back to back, and where each one's begin (utterances + 1,)."""
        phones = self._manifest.column("phones")
        return phones.values.to_numpy(), phones.offsets.to_numpy()

    def rows(self, split: str) -> np.ndarray:
        """Rows of "train", "valid" or "test", in the manifest's order; UserError for another name."""
        if split not in SPLITS:
            raise UserError(f"there is no split {split!r} in {self.directory}; choose one of {', '.join(SPLITS)}")
        numbers, names = self.codes("split")
        return np.flatnonzero(numbers == (names.index(split) if split in names else -1))

    def token_counts(self, rows: np.ndarray) -> np.ndarray:
        """How often each token occurs in some rows (tokens,); of the training split stage 1 has counted them."""
        train = self.rows("train")
        if self._token_counts is not None and np.array_equal(rows, train):
            return np.array(self._token_counts)
        phones, starts = self.phones
        counts = np.zeros(len(self.tokens), np.int64)
        for some in np.array_split(rows, len(rows) // SLICE + 1):
            lengths = starts[some + 1] - starts[some]
            places = np.repeat(starts[some] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
            counts += np.bincount(phones[places], minlength=len(counts))
        return counts

    def split(self, name: str) -> list[Utterance]:
        """Utterances of a split, for those who look at each one."""
        return self._utterances(self.rows(name))

    @property
    def utterances(self) -> list[Utterance]:
        """All utterances."""
        return self._utterances(np.arange(len(self)))

    def arrays(self, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples (T * hop_size,) int16, log F0 (T,) float32 and voicing (T,) of a row; UserError for damage."""
        from processors.store import checksum

        path = self._shard(self._shards[self._shard_of[row]])
        try:
            audio, log_f0, voiced = self._arrays(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, OwnError) from error
        first, hop = int(self.first_frame[row]), self.hop_size
        last = first + int(self.frames[row])
        if len(audio) < last * hop or len(voiced) < last:
            raise _damaged(path, OwnError)
        found = audio[first * hop : last * hop], log_f0[first:last], voiced[first:last]
        if self._checksums is not None and checksum(*found) != int(self._checksums[row]):
            raise _damaged(path, OwnError)
        return found

    def _shard(self, name: str) -> Path:
        return self.directory / SHARDS / name

    def _utterances(self, rows: np.ndarray) -> list[Utterance]:
        names = ["id", "text", "normalised", "speaker", "language", "split", "frames", "phones"]
        table = self._manifest.select(names).take(rows).to_pylist()
        for row, values in zip(rows, table):
            phones, length = tuple(self.tokens[number] for number in values["phones"]), values["frames"] * self.hop_size
            values |= {"phones": phones, "row": int(row), "length": length}
        return [Utterance(**values) for values in table]


def id_prefixes(corpora: Sequence[ProcessedCorpus]) -> list[str]:
    """What goes before the ids of each corpus where there are several, so that equal ones stay apart."""
    return [f"{corpus.directory.name}/" if len(corpora) > 1 else "" for corpus in corpora]


def split_rows(corpora: Sequence[ProcessedCorpus], split: str) -> list[np.ndarray]:
    """Rows of a split in each corpus; "train" is without the texts that another corpus holds out."""
    rows = [corpus.rows(split) for corpus in corpora]
    if split != "train" or len(corpora) == 1:
        return rows
    import pyarrow.compute  # slow, and only training needs it

    def texts(corpus: ProcessedCorpus, rows: np.ndarray) -> pa.Array:
        return pyarrow.compute.utf8_lower(corpus._manifest.column("normalised").take(rows))

    held_out = [texts(corpus, corpus.rows(other)) for corpus in corpora for other in SPLITS if other != "train"]
    known, kept = pyarrow.concat_arrays(held_out), []
    for corpus, part in zip(corpora, rows):
        slices = np.array_split(part, len(part) // SLICE + 1)
        leaks = [pyarrow.compute.is_in(texts(corpus, some), value_set=known) for some in slices]
        kept.append(part[~np.concatenate([leak.to_numpy(zero_copy_only=False) for leak in leaks])])
    return kept


def _damaged(path: Path, kind: type[UserError] = UserError) -> UserError:
    reason = "damaged" if path.exists() else "missing"
    return kind(f"{path}, a part of the features, is {reason}: run stage 1 again")


def corpus_directory(preprocess: PreprocessConfig, name: str) -> Path:
    """Folder of the processed corpus `name`."""
    return project_path(preprocess.processed_dir) / name


def require_features(config: ExperimentConfig, names: Sequence[str], source: Path) -> None:
    """UserError unless stage 1 has made the features of these corpora; it says what to do. `source` is the config."""
    for name in names:
        directory = corpus_directory(config.preprocess, name)
        if (directory / META).is_file():
            continue
        if name not in config.dataset_path:
            known = " or ".join(config.dataset)
            raise UserError(f"--dataset {name}: {shown(source)} has no such corpus; choose {known}")
        recordings = shown(project_path(config.dataset_path[name]))
        problem = f"there are no finished features of the corpus {name} in {shown(directory)}"
        advice = f"put its recordings into {recordings} and run stage 1 with --config {shown(source)}"
        others = "add --set 'dataset=[\"mine\"]' --set dataset_path.mine=FOLDER to stage 1 and to this command"
        raise UserError(f"{problem}: {advice}; for other recordings {others}")


def write_meta(directory: Path, meta: dict[str, Any]) -> None:
    """Write meta.json, sealed, in one step: from now on its manifest is the corpus."""
    content = {"format_version": FORMAT_VERSION, "features_version": FEATURES_VERSION, **meta}
    write_json(directory / META, {**content, "checksum": digest(content)})


def read_meta(directory: Path) -> dict[str, Any]:
    """Contents of meta.json; UserError when it is missing, damaged or of another version."""
    path = Path(directory) / META
    try:
        meta = read_json(path)
        version, checksum = meta["format_version"], meta.pop("checksum", None)
    except FileNotFoundError:
        raise UserError(f"there are no finished features in {directory}: run stage 1") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}): run stage 1 again") from error
    if version != FORMAT_VERSION:
        known = f"this program reads {FORMAT_VERSION}"
        raise UserError(f"{path} has format version {one_line(version)}, {known}: run stage 1 again")
    if checksum != digest(meta):
        raise UserError(f"{path} is damaged: run stage 1 again")
    return meta


def feature_values(preprocess: PreprocessConfig, keys: tuple[str, ...]) -> dict[str, Any]:
    """Values of `keys` that are not null; a lexicon or token table counts by its content. UserError if unreadable.

    Null is left out, so that a corpus stays fresh when a later version adds a key that is null by default.
    """
    values = {key: getattr(preprocess, key) for key in keys if getattr(preprocess, key) is not None}
    for key in ("lexicon_path", "tokens_path"):
        if key in values:
            path = project_path(values[key])
            try:
                values[key] = hashlib.sha256(regular(path).read_bytes()).hexdigest()
            except OSError as error:
                reason = f"{path} cannot be read ({error.strerror or error})"
                raise UserError(f"preprocess.{key}: {reason}; mend it or use null") from error
    return values


def digest(value: object) -> str:
    """Short hash of any JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def fingerprint(preprocess: PreprocessConfig, keys: tuple[str, ...] = UTTERANCE_KEYS + SPLIT_KEYS) -> str:
    """Hash of everything in `preprocess` that changes the processed corpus, or only of some keys."""
    return digest([FORMAT_VERSION, FEATURES_VERSION, feature_values(preprocess, keys)])


def id_problem(name: str) -> str | None:
    """What is wrong with an utterance's id as the name of a file below a folder; None if nothing is."""
    if not name:
        return "is empty"
    if re.search(r"[\x00-\x1f\x7f]", name):
        return "has control characters"
    if len(name.encode(errors="replace")) > LONGEST_ID:
        return f"is longer than {LONGEST_ID} bytes"
    if re.match(r"[A-Za-z]:|[/\\]", name):
        return "is an absolute path, not one below the folder"
    if any(part in ("", ".", "..") for part in re.split(r"[/\\]", name)):
        return "leads out of the folder"
    return None
