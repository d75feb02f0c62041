"""What a voice's predictors fall short of its recordings on average: how far pitch moves, how long sounds are.

What is learned by regression stays nearer to the mean than what people do, and a mean of logarithms is below that of
the values. `inference.pitch_range` and `inference.duration_scale` make good for both.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from config.schema import InferenceConfig
from models.tts.jets.dataset import UtteranceTable
from models.tts.jets.spoken_split import batch_frames, opened
from models.tts.jets.synthesizer import Synthesizer
from models.tts.jets.variance import average_by_duration, durations_from_log
from utils.errors import UserError

STEP = 0.01


def shortfall(voice: Synthesizer, expt_dir: Path, split: str = "valid") -> dict[str, float]:
    """The `pitch_range` and `duration_scale` with which an uncorrected voice does as much as the recordings of a split.

    Pitch is compared within utterances, which is what is heard: how they differ as wholes comes from the recording
    session more than from the text. A token counts by its voiced frames, as elsewhere there is no pitch.

    :raises UserError: the features are missing, or do not belong to this voice; or there is no pitch in them.
    """
    _, table, assembler = opened(voice.config, expt_dir, voice, split)
    recorded = predicted = 0.0
    frames, log_durations = 0, []
    for plan in table.in_order(batch_frames(voice.config, voice.device)):
        batch = assembler.read(table, plan)
        with torch.inference_mode():
            output, _ = voice.network.hear(batch)
        durations = output.aligned.durations
        voiced = _voiced(table, plan.indices, batch.log_f0.shape[1]).to(durations.device)
        weights = average_by_duration(voiced, durations) * durations
        recorded += spread(output.aligned.log_f0, weights)
        predicted += spread(output.predicted.log_f0, weights)
        frames += int(durations.sum())
        log_durations.append(output.predicted.log_durations[output.text_mask])
    if not recorded > 0 or not predicted > 0:
        whose = "the recordings of the" if not recorded > 0 else "what the voice predicts for the"
        raise UserError(f"pitch does not vary in {whose} {split} split")
    in_row = torch.cat(log_durations).unsqueeze(0)
    mask = torch.ones_like(in_row, dtype=torch.bool)

    def miss(scale: float) -> int:
        return abs(int(durations_from_log(in_row + math.log(scale), mask).sum()) - frames)

    ratio = math.sqrt(recorded / predicted)
    return {
        "pitch_range": min(_allowed("pitch_range"), key=lambda gain: abs(gain - ratio)),
        # No plain ratio, as what is scaled is duration + 1, and then rounded.
        "duration_scale": min(_allowed("duration_scale"), key=miss),
    }


def spread(values: torch.Tensor, weights: torch.Tensor) -> float:
    """Sum of weighted squares of values (B, T_text) around each utterance's own weighted mean."""
    values, weights = values.double(), weights.double()
    mean = (values * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp_min(1e-9)
    return float((weights * (values - mean).square()).sum())


def _voiced(table: UtteranceTable, indices: np.ndarray, n_frames: int) -> torch.Tensor:
    """1 where the recordings of some utterances are voiced, (B, n_frames) float32."""
    found = torch.zeros(len(indices), n_frames)
    for row, index in enumerate(indices):
        _, _, voiced = table.corpora[table.corpus_index[index]].arrays(int(table.rows[index]))
        found[row, : len(voiced)] = torch.from_numpy(voiced.astype(np.float32))
    return found


def _allowed(key: str) -> list[float]:
    """Values of a key of InferenceConfig in steps of STEP."""
    limits = InferenceConfig.model_json_schema()["properties"][key]["anyOf"][0]
    low, high = round(limits["minimum"] / STEP), round(limits["maximum"] / STEP)
    return [round(number * STEP, 2) for number in range(max(1, low), high + 1)]
