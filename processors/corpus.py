"""The processed corpus: a manifest and packed arrays that stage 1 writes and everything after it reads.

A folder `<processed_dir>/<dataset>/` holds manifest.jsonl (one line for each utterance), audio.i16 (int16 little
endian, all utterances back to back), log_f0.f32 (float32, natural log of Hz, continuous, one value a frame), voiced.u8
(0 or 1 a frame), tokens.json and meta.json, which is there only when all the rest is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from config.schema import ExperimentConfig, PreprocessConfig
from utils.errors import UserError, one_line
from utils.json_text import is_count, is_finite, parse_json, read_json
from utils.paths import project_path, shown

FORMAT_VERSION = 1
# Counts changes of the code that change what stage 1 makes of the same recording and the same config.
FEATURES_VERSION = 1

SPLITS = ("train", "valid", "test")
_MEASURED = ("log_f0", "energy")
MANIFEST, AUDIO, LOG_F0, VOICED = "manifest.jsonl", "audio.i16", "log_f0.f32", "voiced.u8"
TOKENS, META, SKIPPED, SOURCES = "tokens.json", "meta.json", "skipped.jsonl", "sources.jsonl"

# Keys that decide what becomes of one utterance.
UTTERANCE_KEYS = (
    "phone_extractor",
    "language",
    "lexicon_path",
    "tokens_path",
    "sample_rate",
    "remove_dc",
    "highpass_hz",
    "trim_silence",
    "trim_top_db",
    "trim_margin",
    "target_level_db",
    "n_fft",
    "win_size",
    "hop_size",
    "f0_min",
    "f0_max",
    "min_seconds",
    "max_seconds",
    "max_chars_per_second",
    "silence_level_db",
    "max_clipped_fraction",
)
# Keys that only decide which split it lands in.
SPLIT_KEYS = ("valid_size", "test_size", "max_held_out_fraction", "split_seed")
# Keys that nothing stored depends on: mel spectra are computed from the audio where it is needed.
NEUTRAL_KEYS = ("processed_dir", "num_workers", "n_mel", "fmin", "fmax")


class StaleFeatures(UserError):
    """The processed corpus was made with another config."""


@dataclass(frozen=True)
class Utterance:
    """One line of the manifest; offset and length in samples, frame_offset and frames in frames."""

    id: str
    text: str
    normalised: str
    phones: tuple[str, ...]
    speaker: str
    split: str
    offset: int
    length: int
    frame_offset: int
    frames: int

    def to_json(self) -> dict[str, object]:
        """The manifest's line as a dictionary."""
        return {**asdict(self), "phones": list(self.phones)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Utterance:
        """The inverse of `to_json`; ignores keys of later versions.

        Raises KeyError for a missing key and ValueError for a value that makes no sense.
        """
        values = {name: row[name] for name in cls.__dataclass_fields__}
        phones = values["phones"]
        texts = [values[name] for name in ("id", "text", "normalised", "speaker")]
        if not all(isinstance(text, str) for text in [*texts, *phones]) or not isinstance(phones, list) or not phones:
            raise ValueError(f"a text is no text at {row['id']!r}")
        if not all(is_count(values[name]) for name in ("offset", "length", "frame_offset", "frames")):
            raise ValueError(f"a place is no whole number at {row['id']!r}")
        if values["split"] not in SPLITS or not values["id"] or values["frames"] == 0:
            raise ValueError(f"split, id or length make no sense at {row['id']!r}")
        return cls(**{**values, "phones": tuple(phones)})


@dataclass(frozen=True)
class ProcessedCorpus:
    """An opened corpus; the arrays are memory-mapped, so that opening costs no memory."""

    directory: Path
    utterances: list[Utterance]
    audio: np.memmap  # (samples,) int16
    log_f0: np.memmap  # (frames,) float32
    voiced: np.memmap  # (frames,) uint8
    tokens: list[str]
    statistics: dict[str, float]
    sample_rate: int
    hop_size: int
    fingerprint: str

    @classmethod
    def open(cls, directory: Path, preprocess: PreprocessConfig | None = None) -> ProcessedCorpus:
        """Open the corpus in `directory`.

        Raises UserError when it is missing, unfinished or damaged, and StaleFeatures when `preprocess` is given and
        asks for other features than the folder holds.
        """
        from processors.text.tokens import load_tokens  # the text package need not load where no corpus is opened

        directory = Path(directory)
        meta = read_meta(directory)
        if preprocess is not None and meta["fingerprint"] != fingerprint(preprocess):
            changed = _changed_keys(meta, preprocess)
            reason = f"{', '.join(changed)} changed" if changed else "they were made by another version"
            raise StaleFeatures(f"the features in {directory} are stale ({reason}): run stage 1 again")
        try:
            lines = (directory / MANIFEST).read_text(encoding="utf-8").splitlines()
            utterances = [Utterance.from_json(parse_json(line)) for line in lines]
            arrays = [
                np.memmap(directory / name, dtype=kind, mode="r")
                for name, kind in ((AUDIO, "<i2"), (LOG_F0, "<f4"), (VOICED, "u1"))
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = one_line(error)
            raise UserError(f"the features in {directory} are damaged ({reason}): run stage 1 again") from error
        corpus = cls(
            directory=directory,
            utterances=utterances,
            audio=arrays[0],
            log_f0=arrays[1],
            voiced=arrays[2],
            tokens=load_tokens(directory / TOKENS)["tokens"],
            statistics=meta["statistics"],
            sample_rate=meta["sample_rate"],
            hop_size=meta["hop_size"],
            fingerprint=meta["fingerprint"],
        )
        corpus._check()
        return corpus

    def split(self, name: str) -> list[Utterance]:
        """Utterances of "train", "valid" or "test", in the manifest's order; UserError for another name."""
        if name not in SPLITS:
            raise UserError(f"there is no split {name!r} in {self.directory}; choose one of {', '.join(SPLITS)}")
        return [utterance for utterance in self.utterances if utterance.split == name]

    def _check(self) -> None:
        """Raise UserError where the manifest and the arrays do not fit each other."""
        samples = sum(utterance.length for utterance in self.utterances)
        frames = sum(utterance.frames for utterance in self.utterances)
        sizes = {AUDIO: (len(self.audio), samples), LOG_F0: (len(self.log_f0), frames)}
        sizes[VOICED] = (len(self.voiced), frames)
        for name, (found, expected) in sizes.items():
            if found != expected:
                raise UserError(
                    f"{self.directory / name} holds {found} values, the manifest needs {expected}: run stage 1 again"
                )
        for utterance in self.utterances:
            beyond = utterance.offset + utterance.length > samples or utterance.frame_offset + utterance.frames > frames
            if beyond or utterance.length != utterance.frames * self.hop_size:
                raise UserError(f"{self.directory / MANIFEST} has no sense at {utterance.id}: run stage 1 again")


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
        raise UserError(
            f"there are no finished features of the corpus {name} in {shown(directory)}: put its recordings into "
            f"{recordings} and run stage 1 with --config {shown(source)}; for other recordings add --set "
            "'dataset=[\"mine\"]' --set dataset_path.mine=FOLDER to stage 1 and to this command"
        )


def read_meta(directory: Path) -> dict[str, Any]:
    """Contents of meta.json; UserError when it is missing, damaged or of another version."""
    path = Path(directory) / META
    try:
        meta = read_json(path)
        version = meta["format_version"]
    except FileNotFoundError:
        raise UserError(f"there are no finished features in {directory}: run stage 1") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({one_line(error)}): run stage 1 again") from error
    if version != FORMAT_VERSION:
        known = f"this program reads {FORMAT_VERSION}"
        raise UserError(f"{path} has format version {one_line(version)}, {known}: run stage 1 again")
    missing = {"fingerprint", "statistics", "sample_rate", "hop_size"} - meta.keys()
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}: run stage 1 again")
    statistics = meta["statistics"]
    well_formed = (
        isinstance(meta["fingerprint"], str)
        and all(is_count(meta[key]) and meta[key] > 0 for key in ("sample_rate", "hop_size"))
        and isinstance(statistics, dict)
        and all(is_finite(statistics.get(f"{name}_{kind}")) for name in _MEASURED for kind in ("mean", "std"))
        and all(statistics[f"{name}_std"] > 0 for name in _MEASURED)
    )
    if not well_formed:
        raise UserError(f"{path} is damaged (fingerprint, sample_rate, hop_size or statistics): run stage 1 again")
    return meta


def feature_values(preprocess: PreprocessConfig, keys: tuple[str, ...]) -> dict[str, Any]:
    """Values of `keys` that are not null; a lexicon or token table counts by what is in it, not by where it lies.

    Null is left out, so that a corpus stays fresh when a later version adds a key that is null by default. Raises
    UserError when one of the files cannot be read.
    """
    values = {key: getattr(preprocess, key) for key in keys if getattr(preprocess, key) is not None}
    for key in ("lexicon_path", "tokens_path"):
        if key in values:
            path = project_path(values[key])
            try:
                values[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                reason = f"{path} cannot be read ({error.strerror or error})"
                raise UserError(f"preprocess.{key}: {reason}; mend it or use null") from error
    return values


def digest(value: object) -> str:
    """Short hash of any JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def fingerprint(preprocess: PreprocessConfig) -> str:
    """Hash of everything in `preprocess` that changes the processed corpus."""
    return digest([FORMAT_VERSION, FEATURES_VERSION, feature_values(preprocess, UTTERANCE_KEYS + SPLIT_KEYS)])


def utterance_fingerprint(preprocess: PreprocessConfig) -> str:
    """Hash of what changes a single utterance's features: all but the split."""
    return digest([FORMAT_VERSION, FEATURES_VERSION, feature_values(preprocess, UTTERANCE_KEYS)])


def _changed_keys(meta: dict[str, Any], preprocess: PreprocessConfig) -> list[str]:
    """Config keys whose value differs from the one in meta.json."""
    before = meta.get("preprocess")
    if not isinstance(before, dict):
        return []
    now = feature_values(preprocess, UTTERANCE_KEYS + SPLIT_KEYS)
    return [f"preprocess.{key}" for key in UTTERANCE_KEYS + SPLIT_KEYS if before.get(key) != now.get(key)]
