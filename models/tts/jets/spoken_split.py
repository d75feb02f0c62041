"""Speak what a corpus holds: from its text, and as copy synthesis, with the recordings' durations, pitch and energy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from models.base.checkpoints import find_checkpoint
from models.base.experiment import TOKENS
from models.evaluation.report import AlignmentRecord, Item, file_name
from models.evaluation.stage import SplitRecordings
from models.tts.jets.config import JetsConfig
from models.tts.jets.dataset import BatchAssembler, UtteranceTable, open_corpora
from models.tts.jets.network import STATISTICS, Batch
from models.tts.jets.synthesizer import Synthesizer
from processors.audio.wav import write_wav
from processors.corpus import ProcessedCorpus
from processors.text.tokens import load_tokens
from utils.errors import UserError

MAX_FRAMES_CPU = 2000


def speak_split(
    config: JetsConfig, expt_dir: Path, split: str, folder: Path, limit: int | None = None
) -> tuple[list[Item], dict[str, str]]:
    """Synthesise a split of config.dataset into wavs below `folder`: items to judge, and where they come from.

    Each utterance is spoken as one piece from its phones, as in training, with the tempo, pitch and energy of
    config.inference; with config.evaluate.copy_synthesis also as copy synthesis, whose alignment is kept. Raises
    UserError when the voice, the corpus or the split is missing.
    """
    checkpoint = find_checkpoint(expt_dir, config.inference.checkpoint)
    # These stand in the network; what else config.inference says goes with each batch.
    values = {key: getattr(config.inference, key) for key in ("pitch_range", "duration_scale")}
    inside = [f"inference.{key}={'null' if value is None else value}" for key, value in values.items()]
    voice = Synthesizer.from_experiment(expt_dir, checkpoint=checkpoint.name, overrides=inside)
    corpora, table, assembler = opened(config, expt_dir, voice, split)
    recordings = SplitRecordings(corpora, split, folder)
    wanted = list(recordings.utterances)[:limit]
    items: dict[str, Item] = {}
    with tqdm(total=len(wanted), desc="synthesis", unit="utt", disable=None) as progress:
        for plan in table.in_order(batch_frames(config, voice.device), np.flatnonzero(np.isin(table.ids(), wanted))):
            batch = assembler.read(table, plan)
            texts = table.texts(plan.indices)
            for item in _speak(voice, batch, texts, corpora[0].tokens, config, folder):
                items[item.id] = recordings.named(replace(item, recording=recordings(item.id)))
            progress.update(len(plan.indices))
    source = {"experiment": expt_dir.resolve().name, "checkpoint": checkpoint.name, "split": split}
    return [items[key] for key in wanted], source


def opened(
    config: JetsConfig, expt_dir: Path, voice: Synthesizer, split: str
) -> tuple[list[ProcessedCorpus], UtteranceTable, BatchAssembler]:
    """The corpora of config.dataset, the utterances of their split, and what makes batches of them for `voice`.

    Raises UserError when they are missing, have other tokens than the voice in `expt_dir`, or the split is empty.
    """
    corpora = open_corpora(config)
    if corpora[0].tokens != load_tokens(expt_dir / TOKENS)["tokens"]:
        raise UserError(f"the corpus has other tokens than the voice in {expt_dir} knows: run stage 1 with its config")
    table = UtteranceTable(corpora, split, voice.script.cast)
    if len(table) == 0:
        raise UserError(f"the {split} split is empty: choose another one, or raise preprocess.{split}_size")
    statistics = {name: float(getattr(voice.network, name)) for name in STATISTICS}
    assembler = BatchAssembler(config.preprocess, statistics, voice.device)
    if voice.network.conditioning is not None:
        assembler.speaker_statistics = voice.network.conditioning.speaker_statistics
    return corpora, table, assembler


def batch_frames(config: JetsConfig, device: torch.device) -> int:
    """How many padded frames of a split go into a batch."""
    return config.inference.max_batch_frames if device.type == "cuda" else MAX_FRAMES_CPU


def _speak(
    voice: Synthesizer, batch: Batch, texts: list[str], tokens: list[str], config: JetsConfig, folder: Path
) -> Iterator[Item]:
    """Speak one batch; wavs below `folder`."""
    inference = config.inference
    free = voice.network.infer(
        batch.text,
        batch.text_lengths,
        roles=batch.roles,
        speed=inference.speed,
        pitch_shift=voice.needed_semitones([inference.pitch_semitones])[0] * (math.log(2) / 12),
        energy_scale=10 ** (inference.energy_db / 20),
        temperature=inference.prosody_temperature,
        seed=inference.prosody_seed,
    )
    copied = voice.network.copy(batch) if config.evaluate.copy_synthesis else None

    def written(kind: str, key: str, waveform: Tensor, frames: int) -> Path:
        path = folder / kind / f"{file_name(key)}.wav"
        write_wav(path, waveform[: frames * voice.hop_size].float().cpu().numpy(), voice.sample_rate)
        return path

    for row, key in enumerate(batch.ids):
        count, frames = batch.host_text_lengths[row], batch.host_frame_lengths[row]
        audio = written("synthesis", key, free.waveform[row], free.host_frame_lengths[row])
        copy = log_p_attn = path = None
        if copied is not None:
            output, spoken = copied
            copy = written("copy", key, spoken.waveform[row], frames)
            # The scores hold the prior too: each frame's are scaled to a distribution over the tokens.
            log_p_attn = output.aligned.log_p_attn[row, :frames, :count].float().log_softmax(-1).cpu().numpy()
            path = output.aligned.path[row, :frames].cpu().numpy()
        letters = tuple(tokens[token] for token in batch.text[row, :count].tolist())
        alignment = AlignmentRecord(letters, free.durations[row, :count].cpu().numpy(), log_p_attn, path)
        yield Item(key, texts[row], audio, copy=copy, alignment=alignment)
