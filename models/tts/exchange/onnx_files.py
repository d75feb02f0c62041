"""The files beside the graph: what Piper, sherpa-onnx and our own runner read."""

from __future__ import annotations

import shutil
from pathlib import Path

from models.tts.jets.config import JetsConfig
from processors.text.tokens import END, PAD, PUNCTUATION, START
from utils.errors import UserError
from utils.files import write_json, write_text

FORMAT_VERSION = 1
MODEL, LEXICON, TOKENS = "voice.onnx", "lexicon.txt", "tokens.json"
SHERPA_TOKENS, ESPEAK_DATA = "tokens.txt", "espeak-ng-data"
# Piper's name of the padding that it puts between phonemes.
PIPER_PAD = "_"
# Of config.inference, what our runner reads; other programs have settings of their own.
RUNNER_KEYS = (
    "speed", "pitch_semitones", "energy_db", "leading_silence", "trailing_silence", "sentence_silence",
    "paragraph_silence", "max_sentence_chars",
)  # fmt: skip
# Extractors whose tokens are the symbols that espeak-ng writes.
_ESPEAK_SYMBOLS = ("espeak", "ipa")
# What espeak-ng's US English writes and our lexicon never does, so that a voice of "ipa" has not learned it: the symbol
# that the lexicon has in such words. A voice flaps and swallows its t by itself; the mark of a syllabic n is dropped.
_NEAREST = {"ɐ": "ə", "ᵻ": "ɪ", "ɾ": "t", "ʔ": "t", "r": "ɹ", "x": "k", "\u0329": PAD}


def check_piper(config: JetsConfig, tokens: list[str]) -> None:
    """Raise UserError when Piper and sherpa-onnx could not speak with this voice, and say why."""
    if config.preprocess.phone_extractor not in _ESPEAK_SYMBOLS:
        raise UserError(
            f'this voice was trained with phone_extractor "{config.preprocess.phone_extractor}"; Piper and sherpa-onnx '
            'speak the phonemes of espeak-ng only: train with preprocess.phone_extractor "ipa" or "espeak", or export '
            "without --piper"
        )
    long = [token for token in tokens[1:] if len(token) != 1]
    if tokens[:3] != [PAD, START, END] or long or PIPER_PAD in tokens:
        shown = " ".join(long[:5] or tokens[:3])
        raise UserError(f"Piper's phonemes are single characters, but this voice's token table has others: {shown}")


def phoneme_id_map(tokens: list[str], phone_extractor: str) -> dict[str, list[int]]:
    """Piper's map from symbols to ids; its padding gets our id 0, which the graph drops."""
    ids = {token: index for index, token in enumerate(tokens)}
    nearest = {symbol: ids[token] for symbol, token in _NEAREST.items()} if phone_extractor == "ipa" else {}
    return {PIPER_PAD: [0], **{token: [nearest.get(token, index)] for token, index in ids.items() if index}}


def voice_config(
    config: JetsConfig,
    tokens: list[str],
    name: str,
    checkpoint: str,
    precision: str,
    receptive_field: int,
    mean_f0: float,
) -> dict[str, object]:
    """Contents of voice.onnx.json: Piper's keys, and under "jets" what only our runner needs."""
    preprocess, inference = config.preprocess, config.inference
    extractor = preprocess.phone_extractor
    return {
        "audio": {"sample_rate": preprocess.sample_rate},
        "dataset": name,
        "espeak": {"voice": preprocess.language},
        "language": {"code": preprocess.language},
        # Piper says at once that it does not know "lexicon", where it would otherwise speak nonsense.
        "phoneme_type": "espeak" if extractor in _ESPEAK_SYMBOLS else extractor,
        "phoneme_id_map": phoneme_id_map(tokens, extractor),
        "num_symbols": len(tokens),
        "num_speakers": 1,
        "speaker_id_map": {},
        "hop_length": preprocess.hop_size,
        # There is no noise in this model: the scales of it mean nothing.
        "inference": {"noise_scale": 0.0, "length_scale": 1 / inference.speed, "noise_w": 0.0},
        "jets": {
            "format_version": FORMAT_VERSION,
            "phone_extractor": extractor,
            "language": preprocess.language,
            "generator": config.model.generator,
            "receptive_field": receptive_field,
            "mean_f0": round(mean_f0, 3),
            "precision": precision,
            "checkpoint": checkpoint,
            "punctuation": [token for token in tokens if token in PUNCTUATION],
            "inference": {key: getattr(inference, key) for key in RUNNER_KEYS},
        },
    }


def graph_metadata(config: JetsConfig) -> dict[str, str]:
    """What sherpa-onnx reads from the graph itself; its "vits" of kind "piper" is the interface, not the model."""
    espeak = config.preprocess.phone_extractor in _ESPEAK_SYMBOLS
    return {
        "model_type": "vits",
        "comment": "piper" if espeak else "jets",
        "language": config.preprocess.language,
        "voice": config.preprocess.language,
        "has_espeak": str(int(espeak)),
        "n_speakers": "1",
        "sample_rate": str(config.preprocess.sample_rate),
    }


def write_voice_files(directory: Path, expt_dir: Path, content: dict[str, object]) -> None:
    """Write voice.onnx.json, and copy the token table and the user's lexicon."""
    write_json(directory / f"{MODEL}.json", content)
    for name in (TOKENS, LEXICON):
        if (expt_dir / name).is_file():
            shutil.copyfile(expt_dir / name, directory / name)


def write_sherpa_files(directory: Path, tokens: list[str], phone_extractor: str) -> bool:
    """Write tokens.txt, and copy espeak-ng's data; False when the package that brings the data is missing."""
    lines = [f"{symbol} {ids[0]}" for symbol, ids in phoneme_id_map(tokens, phone_extractor).items()]
    write_text(directory / SHERPA_TOKENS, "\n".join(lines) + "\n")
    try:
        import espeakng_loader
    except ImportError:
        return False
    shutil.copytree(espeakng_loader.get_data_path(), directory / ESPEAK_DATA)
    return True
