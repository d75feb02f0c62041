"""What networks hear in speech, all of them optional packages: its words, and its quality without a reference.

Words come from Whisper (`faster-whisper` and `whisper-normalizer`).
DNSMOS, from `speechmos`: Reddy, Gopal and Cutler, "DNSMOS P.835" (arXiv 2110.01763) for speech (SIG), background (BAK)
and overall (OVRL) quality, and "DNSMOS" (arXiv 2010.15258) for P.808. It was made to rank noise suppressors: it favours
clean synthesis over real rooms, and the first three depend on the level, so that all clips are brought to one level
first. Distill-MOS, from `distillmos`: Stahl and Gamper (arXiv 2502.05356); it normalises the level itself.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein

from config.schema import EvaluateConfig
from processors.audio.recording import AudioProblem, active_level_db, resample
from utils.errors import one_line

SAMPLE_RATE = 16000
KINDS = {"equal": "same", "replace": "replaced", "delete": "missing", "insert": "extra"}
Edit = tuple[str, str, str]  # one of KINDS' values ("missing" is in what was heard); expected; heard
DNSMOS_WINDOW = 144_160  # samples that DNSMOS hears at a time: 9.01 s
DNSMOS_NAMES = {"sig_mos": "sig", "bak_mos": "bak", "ovrl_mos": "ovrl", "p808_mos": "p808"}
Network = Callable[[np.ndarray], dict[str, float]]


class Recogniser:
    """A Whisper model in CTranslate2 form, and the normaliser that goes with its language."""

    def __init__(self, config: EvaluateConfig, language: str) -> None:
        """Load config.asr_model, a folder or a name; ImportError without the packages, other errors for a bad model."""
        from faster_whisper import WhisperModel

        self.language = whisper_language(language)
        self.beam_size = config.asr_beam_size
        self.normalise = whisper_normaliser(self.language == "en")
        folder = Path(str(config.asr_model)).expanduser()
        self.model = WhisperModel(
            str(folder if folder.is_dir() else config.asr_model),
            device=config.asr_device,
            compute_type=config.asr_compute_type,
            cpu_threads=min(8, os.cpu_count() or 1),
        )

    def for_language(self, language: str) -> Recogniser | None:
        """The same model for another language; None where it does not know that."""
        other = copy.copy(self)
        other.language = whisper_language(language)
        other.normalise = whisper_normaliser(other.language == "en")
        return other if other.language in self.model.supported_languages else None

    def transcribe(self, audio: np.ndarray, sample_rate: int) -> str:
        """Text heard in audio (N,) in [-1, 1], normalised."""
        segments, _ = self.model.transcribe(
            resample(audio, sample_rate, SAMPLE_RATE),
            language=self.language,
            beam_size=self.beam_size,
            condition_on_previous_text=False,
        )
        return self.normalise(" ".join(segment.text for segment in segments)).strip()


def whisper_language(language: str) -> str:
    """Whisper's code of a language: "en" for "en-us"."""
    code = language.split("-")[0].lower()
    return {"cmn": "zh", "nb": "no"}.get(code, code)


def whisper_normaliser(english: bool = True) -> Callable[[str], str]:
    """Normaliser of the Whisper paper (arXiv 2212.04356, appendix C): what sounds alike becomes alike. ImportError."""
    if english:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()


def text_errors(expected: str, heard: str) -> dict[str, tuple[float, float]]:
    """Errors and length, as (edits, units of expected), of normalised texts: "wer" counts words, "cer" characters."""
    words = expected.split(), heard.split()
    characters = " ".join(words[0]), " ".join(words[1])
    return {key: (Levenshtein.distance(*pair), len(pair[0])) for key, pair in (("wer", words), ("cer", characters))}


def align(expected: Sequence[str], heard: Sequence[str]) -> list[Edit]:
    """Fewest edits (Levenshtein 1966: replacement, deletion, insertion, each 1) that turn expected into heard."""
    edits: list[Edit] = []
    for block in Levenshtein.opcodes(expected, heard):
        before = expected[block.src_start : block.src_end]
        after = heard[block.dest_start : block.dest_end]
        edits += [(KINDS[block.tag], *pair) for pair in zip_longest(before, after, fillvalue="")]
    return edits


class QualityNetworks:
    """The networks that the config asks for and that are installed; `notes` says which are not."""

    def __init__(self, config: EvaluateConfig) -> None:
        self.level_db = config.dnsmos_level_db
        self.notes: list[str] = []
        self.networks: dict[str, Network] = {}
        known = {"dnsmos": ("DNSMOS", "speechmos", dnsmos), "distillmos": ("Distill-MOS", "distillmos", distillmos)}
        for key, (name, package, load) in known.items():
            if not getattr(config, key):
                continue
            try:
                self.networks[key] = load()
            except ModuleNotFoundError as error:
                self.notes.append(f"{name} was left out: the package {error.name or package} is not installed.")
            except (ImportError, OSError) as error:  # OSError: a library of it does not load
                self.notes.append(f"{name} was left out: {package} cannot be loaded ({one_line(error)}).")

    @property
    def settings(self) -> dict[str, float]:
        """What changes their figures."""
        return {"dnsmos_level_db": self.level_db} if "dnsmos" in self.networks else {}

    def __call__(self, audio: np.ndarray, sample_rate: int) -> dict[str, float]:
        """What they say of audio (N,), each from 1 to 5; AudioProblem for silence."""
        if not self.networks:
            return {}
        level = active_level_db(audio, sample_rate)
        if not np.isfinite(level):
            raise AudioProblem("silent", "silence has no quality")
        gain = np.float32(10 ** ((self.level_db - level) / 20))
        scaled = np.clip(resample(audio * gain, sample_rate, SAMPLE_RATE), -1, 1)
        return {name: value for network in self.networks.values() for name, value in network(scaled).items()}


def dnsmos() -> Network:
    """DNSMOS on one thread: many clips are judged at once, and idle threads would spin. ImportError without it."""
    import onnxruntime
    from speechmos import dnsmos as package

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    folder = Path(package.__file__).parent / "dnsmos_models"

    class SingleThreaded(package.DNSMOS):
        def __init__(self) -> None:
            self.onnx_sess = onnxruntime.InferenceSession(folder / "sig_bak_ovr.onnx", options)
            self.p808_onnx_sess = onnxruntime.InferenceSession(folder / "model_v8.onnx", options)

    model = SingleThreaded()

    def judge(audio: np.ndarray) -> dict[str, float]:
        # The package repeats a short clip until it is long enough, and then averages over windows of the repetition.
        # One such window gives the same to within 0.01 on average, in a fraction of the time.
        scores = model(np.resize(audio, max(len(audio), DNSMOS_WINDOW)), SAMPLE_RATE, False)
        return {f"dnsmos_{ours}": float(scores[theirs]) for theirs, ours in DNSMOS_NAMES.items()}

    return judge


def distillmos() -> Network:
    """Distill-MOS, with the weights that its package carries. ImportError without it."""
    # It needs torchaudio for its own command line only, and torchaudio often does not load beside another torch.
    absent = "torchaudio" not in sys.modules
    if absent:
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        from distillmos import ConvTransformerSQAModel
    finally:
        if absent:
            del sys.modules["torchaudio"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # it prints where its weights lie
        model = ConvTransformerSQAModel().eval()

    @torch.no_grad()
    def judge(audio: np.ndarray) -> dict[str, float]:
        return {"distillmos": model(torch.from_numpy(audio)[None]).item()}

    return judge
