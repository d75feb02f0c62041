"""Whose voice it is: the speaker encoder that the optional package Resemblyzer carries (GE2E, arXiv 1710.10467).

Only the package's weights are used, so that none of what it depends on is needed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from models.evaluation.report import UtteranceRecord, Value
from models.evaluation.signal_measures import load_audio
from processors.audio.recording import AudioProblem, active_level_db, trim_silence

PACKAGE, INSTALL = "resemblyzer", ".venv/bin/pip install --no-deps Resemblyzer"
SAMPLE_RATE = 16000
LEVEL_DB = -26.0  # of active speech
WINDOW, STEP = 160, 80  # frames of 10 ms that the network hears at a time
BANDS, WIDTH = 40, 256
FEWEST = 2  # recordings that make a speaker known

Embed = Callable[[Path], np.ndarray]


class SpeakerEncoder(nn.Module):
    """Three LSTM layers over mel spectra; the last state, projected, is the voice."""

    def __init__(self) -> None:
        """Load the package's weights. Raises ImportError where it is not installed or has none."""
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, 3, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)
        spec = importlib.util.find_spec(PACKAGE)
        folder = Path(next(iter(spec.submodule_search_locations or ()), "")) if spec else Path()
        weights = folder / "pretrained.pt"
        if spec is None or not weights.is_file():
            raise ImportError(f"the package {PACKAGE} is not installed ({INSTALL})")
        state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: state[name] for name in self.state_dict()})
        self.eval()

    @torch.no_grad()
    def forward(self, path: Path) -> np.ndarray:
        """Voice (256,) of length 1 in a recording; AudioProblem for one that cannot be used."""
        audio = load_audio(path, SAMPLE_RATE)
        level = active_level_db(audio, SAMPLE_RATE)
        if not np.isfinite(level):
            raise AudioProblem("silent", "silence has no speaker")
        audio = trim_silence(audio * np.float32(10 ** ((LEVEL_DB - level) / 20)), SAMPLE_RATE, 40.0, 0.05)
        power = librosa.feature.melspectrogram(y=audio, sr=SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=BANDS).T
        # What is shorter than a window is repeated.
        frames = torch.from_numpy(np.resize(power, (max(len(power), WINDOW), BANDS)).astype(np.float32))
        windows = frames.unfold(0, WINDOW, STEP).transpose(1, 2)
        _, (hidden, _) = self.lstm(windows)
        voices = nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)
        return nn.functional.normalize(voices.mean(0), dim=0).numpy()


def judge_speakers(
    records: Sequence[UtteranceRecord], folder: Path, examples: Mapping[str, Sequence[Path]], embed: Embed
) -> None:
    """Add to `records`, whose paths start at `folder`, how near each voice is to its speaker's recordings.

    `speaker_similarity` is the cosine with the mean voice of that speaker's other recordings among the records, or of
    `examples` by speaker where these have none; `speaker_found` is 1 where no other speaker is nearer, 0 otherwise,
    where several are known. The recordings are judged alike.
    """
    known: dict[str, dict[str, np.ndarray]] = {}

    def remember(speaker: str, key: str, path: Path) -> None:
        with suppress(AudioProblem):
            known.setdefault(speaker, {})[key] = embed(path)

    for record in tqdm(records, desc="speakers", unit="utt", disable=None):
        if record.recording is not None:
            remember(record.speaker, record.id, folder / record.recording)
    for speaker, paths in examples.items():
        for path in paths if len(known.get(speaker, ())) < FEWEST else ():
            remember(speaker, str(path), path)
    known = {speaker: voices for speaker, voices in known.items() if len(voices) >= FEWEST}
    sums = {speaker: np.sum(list(voices.values()), axis=0) for speaker, voices in known.items()}

    def measured(voice: np.ndarray, record: UtteranceRecord) -> dict[str, Value]:
        own = known[record.speaker].get(record.id)
        others = {speaker: total for speaker, total in sums.items() if speaker != record.speaker}
        mean = sums[record.speaker] - (0 if own is None else own)
        cosine = float(voice @ mean / np.linalg.norm(mean))
        values: dict[str, Value] = {"speaker_similarity": cosine}
        if others:
            nearest = max(float(voice @ total / np.linalg.norm(total)) for total in others.values())
            values["speaker_found"] = float(cosine >= nearest)
        return values

    for record in tqdm(records, desc="similarity", unit="utt", disable=None):
        if record.speaker not in known:
            if record.speaker:
                record.notes.append(f"speaker not judged: fewer than {FEWEST} recordings of {record.speaker}")
            continue
        try:
            record.values |= measured(embed(folder / record.audio), record)
        except AudioProblem as reason:
            record.notes.append(f"no speaker: {reason}")
        if (own := known[record.speaker].get(record.id)) is not None:
            record.recording_values |= measured(own, record)
