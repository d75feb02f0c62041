"""Export a trained voice: graph, configuration, check against PyTorch; the folder appears when all is right.

Beside the graph lie the files that Piper, sherpa-onnx and our own runner read.
"""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

from config.schema import PreprocessConfig
from models.base.checkpoints import NETWORK, find_checkpoint
from models.base.experiment import TOKENS
from models.tts.exchange.onnx_graph import (
    ExportedVoice,
    compare,
    open_session,
    quantise_products,
    require,
    write_graph,
)
from models.tts.exchange.packed_graph import write_packed_graph
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import JetsNetwork
from models.tts.jets.synthesizer import Synthesizer
from processors.cast import Cast
from processors.text.arpabet import arpabet_to_ipa
from processors.text.characters import TextError
from processors.text.lexicon import our_words, plain_cmudict
from processors.text.tokens import END, PAD, PUNCTUATION, START, WORD_BOUNDARY
from utils.errors import UserError
from utils.files import shown, temporary_for, whole_folder, write_json, write_text

FORMAT_VERSION = 1
MODEL = "voice.onnx"
OWN_WORDS = "own_"  # before the names of user lexicons, as sherpa-onnx has its own lexicon.txt
SHERPA_LEXICON, LEXICON_TOKENS, LEXICON_BOUNDARY = "lexicon.txt", "lexicon_tokens.txt", "|"
SHERPA_TOKENS, ESPEAK_DATA = "tokens.txt", "espeak-ng-data"
# Piper's name of the padding that it puts between phonemes.
PIPER_PAD = "_"
# Of config.inference, what our runner reads; other programs have settings of their own.
RUNNER_KEYS = (
    "speaker", "language", "speed", "pitch_semitones", "energy_db", "leading_silence", "trailing_silence",
    "sentence_silence", "paragraph_silence", "max_sentence_chars", "prosody_temperature", "prosody_seed",
)  # fmt: skip
# Extractors whose tokens are the symbols that espeak-ng writes.
_ESPEAK_SYMBOLS = ("espeak", "ipa")
# What espeak-ng's US English writes and our lexicon never does, so that a voice of "ipa" has not learned it: the symbol
# that the lexicon has in such words. A voice flaps and swallows its t by itself; the mark of a syllabic n is dropped.
_NEAREST = {"ɐ": "ə", "ᵻ": "ɪ", "ɾ": "t", "ʔ": "t", "r": "ɹ", "x": "k", "\u0329": PAD}
# Any other text would do.
SENTENCES = (
    "Good morning.",
    "The quick brown fox jumps over the lazy dog near the old river bank.",
    "Would you mind closing the window before it starts to rain?",
    "Yes, of course!",
    "Seven small ships sailed slowly south, and none of them was ever seen again.",
    "Wait: is this the right platform?",
    "We have to choose between hope and fear; most of us choose both.",
    "Although the engineers had checked every joint of the bridge twice, the mayor asked them to do it once more, "
    "because a single loose bolt could cost a hundred lives.",
)
# An exported sample may differ from PyTorch's by this much in fp32 (full scale is 1).
TOLERANCE = 1e-3
# In int8, noise as weak as this is masked by the speech around it.
LEAST_SNR_DB = 25.0


def export_voice(
    expt_dir: Path,
    out: Path,
    checkpoint: str | None = None,
    precision: str = "fp32",
    piper: bool = False,
    check: int = 8,
) -> None:
    """Export the voice of an experiment to the folder `out`.

    `precision` "int8" is smaller and faster (see EXCHANGE.md for what it costs); `piper` adds what Piper and
    sherpa-onnx need, or says why they cannot speak with this voice; `check` texts are compared with PyTorch, alone and
    in a batch. Files of the same names in `out` are replaced at the end; until then it stays as it is.

    :raises UserError: no such voice or checkpoint, a missing package, a full disk, or results that differ.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; give a folder")
    synthesizer, voice = loaded(expt_dir, checkpoint)
    config, tokens, network = synthesizer.config, list(synthesizer.script.ids), synthesizer.network
    if piper:
        check_piper(config, tokens)
    rows = token_rows(synthesizer, max(check, 1))
    with whole_folder(out, _publish) as folder:
        write_graph(voice, folder / MODEL, graph_metadata(config, voice))
        chosen = find_checkpoint(expt_dir, checkpoint or config.inference.checkpoint).name
        own: dict[str, object] = {"precision": precision, "checkpoint": chosen}
        write_json(folder / f"{MODEL}.json", described(synthesizer, voice, expt_dir, own))
        shutil.copyfile(expt_dir / TOKENS, folder / TOKENS)
        if synthesizer.pitch_response is not None:
            synthesizer.pitch_response.save(folder)
        for path in expt_dir.glob("lexicon*.txt"):
            shutil.copyfile(path, folder / f"{OWN_WORDS}{path.name}")
        has_data = not piper or write_sherpa_files(folder, tokens, config.preprocess.phone_extractor)
        check_graph(folder / MODEL, network, rows, voice)
        if precision == "int8":
            quantise_products(folder / MODEL)
            agreement = compare(open_session(folder / MODEL), network, rows, voice=voice)
            print(f"int8 against PyTorch's fp32: {agreement}")
            if not agreement.snr_db > LEAST_SNR_DB:
                print("that much noise may be heard: listen before you ship it, or export in fp32")
    size = (out / MODEL).stat().st_size / 2**20
    print(f"{out / MODEL}: {size:.1f} MiB, {precision}, generator {config.model.generator}")
    if not has_data:
        install = "run `.venv/bin/pip install espeakng-loader`, then export again"
        print(f"espeak-ng's data is missing, which sherpa-onnx 1 needs: {install}")


def export_beside(folder: Path, check: int = 8) -> None:
    """Write a graph into a packed voice's own folder, which takes its weights from there: no second copy of them.

    :raises UserError: a missing package, results that differ, or a voice whose weights are stored in another form.
    """
    synthesizer, voice = loaded(folder)
    config = synthesizer.config
    weights = find_checkpoint(folder, config.inference.checkpoint).path / f"{NETWORK}.safetensors"
    temporary = temporary_for(folder / MODEL)
    try:
        write_packed_graph(voice, temporary, graph_metadata(config, voice), weights)
        check_graph(temporary, synthesizer.network, token_rows(synthesizer, max(check, 1)), voice)
        os.replace(temporary, folder / MODEL)
    finally:
        temporary.unlink(missing_ok=True)
    own: dict[str, object] = {"precision": "fp32", "checkpoint": weights.parent.name, "own_words": ""}
    write_json(folder / f"{MODEL}.json", described(synthesizer, voice, folder, own))
    print(f"{shown(folder / MODEL)}: {(folder / MODEL).stat().st_size / 1e6:.1f} MB, weights in {weights.name}")


def loaded(expt_dir: Path, checkpoint: str | None = None) -> tuple[Synthesizer, ExportedVoice]:
    """A voice and the module that becomes its graph.

    :raises UserError: a missing package, no such voice, or one that wants more than a graph is given.
    """
    for package in ("onnx", "onnxruntime"):
        require(package)
    synthesizer = Synthesizer.from_experiment(expt_dir, device="cpu", checkpoint=checkpoint)
    if synthesizer.config.model.spk_embed_dim:
        raise UserError("this voice wants a speaker's vector (model.spk_embed_dim), for which an export has no input")
    edges = [synthesizer.script.ids.get(token) for token in (START, END, WORD_BOUNDARY)]
    network = copy.deepcopy(synthesizer.network)
    known = None if None in edges else tuple(edges)
    return synthesizer, ExportedVoice(network, synthesizer.script.cast, known)  # type: ignore[arg-type]


def check_graph(path: Path, network: JetsNetwork, rows: list[list[int]], voice: ExportedVoice) -> None:
    """Compare a graph with its network, alone and in batches; UserError where they differ."""
    session = open_session(path)
    for batch, temperature in ((1, 0.0), (4, 0.667)):  # which a voice of fixed prosody ignores
        agreement = compare(session, network, rows, batch, voice, temperature)
        print(f"onnxruntime against PyTorch, {'one by one' if batch == 1 else f'batches of {batch}'}: {agreement}")
        if agreement.largest > TOLERANCE:
            raise UserError(f"the graph differs from PyTorch by {agreement.largest:.1e}; nothing is written")


def token_rows(synthesizer: Synthesizer, count: int) -> list[list[int]]:
    """Token ids of that many different texts, from a word to a paragraph: of the sentences, then of runs of them."""
    rows = []
    for number in range(count):
        first, length = number % len(SENTENCES), 1 + number // len(SENTENCES)
        text = " ".join(SENTENCES[(first + i) % len(SENTENCES)] for i in range(length))
        try:
            rows.append(synthesizer.script.frontend.encode(text))
        except TextError as error:
            raise UserError(f"the voice cannot be checked: its front-end refuses {text!r} ({error})") from None
    return rows


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


def languages_of(config: JetsConfig, cast: Cast) -> dict[str, PreprocessConfig]:
    """How the texts of each language of a voice are read."""
    corpora = {preprocess.language: preprocess for preprocess in map(config.preprocess_of, reversed(config.dataset))}
    known = cast.languages or (config.preprocess.language,)
    return {language: corpora.get(language) or config.preprocess.for_language(language) for language in known}


def described(
    synthesizer: Synthesizer, voice: ExportedVoice, expt_dir: Path, own: dict[str, object]
) -> dict[str, object]:
    """Contents of voice.onnx.json: Piper's keys, and under "jets", with `own`, what only our runner needs."""
    config, tokens, numbers = synthesizer.config, list(synthesizer.script.ids), voice.numbers
    preprocess, inference, extractor = config.preprocess, config.inference, config.preprocess.phone_extractor
    extractors = {one: settings.phone_extractor for one, settings in languages_of(config, voice.cast).items()}
    return {
        "audio": {"sample_rate": preprocess.sample_rate},
        "dataset": expt_dir.resolve().name,
        "espeak": {"voice": preprocess.language},
        "language": {"code": preprocess.language},
        # Piper says at once that it does not know "lexicon", where it would otherwise speak nonsense.
        "phoneme_type": "espeak" if extractor in _ESPEAK_SYMBOLS else extractor,
        "phoneme_id_map": phoneme_id_map(tokens, extractor),
        "num_symbols": len(tokens),
        "num_speakers": 1 + max(numbers.values(), default=0),
        "speaker_id_map": numbers,
        "hop_length": preprocess.hop_size,
        # Of the noise there is one scale, and none in most voices.
        "inference": {
            "noise_scale": inference.prosody_temperature,
            "length_scale": 1 / inference.speed,
            "noise_w": 0.0,
        },
        "jets": {
            "format_version": FORMAT_VERSION,
            "phone_extractor": extractor,
            "language": preprocess.language,
            "generator": config.model.generator,
            "punctuation": [token for token in tokens if token in PUNCTUATION],
            "inference": {key: getattr(inference, key) for key in RUNNER_KEYS},
            **own,
            "receptive_field": voice.generator.receptive_field,
            "mean_f0": round(synthesizer.mean_f0, 3),
            "speaker_f0": {name: round(f0, 3) for name, f0 in synthesizer.script.speaker_f0.items()},
            "extractors": extractors,
        },
    }


def graph_metadata(config: JetsConfig, voice: ExportedVoice) -> dict[str, str]:
    """What sherpa-onnx reads from the graph itself; its "vits" of kind "piper" is the interface, not the model."""
    espeak = config.preprocess.phone_extractor in _ESPEAK_SYMBOLS
    return {
        "model_type": "vits",
        "comment": "piper" if espeak else "jets",
        "language": config.preprocess.language,
        "voice": config.preprocess.language,
        "has_espeak": str(int(espeak)),
        "n_speakers": str(1 + max(voice.numbers.values(), default=0)),
        "sample_rate": str(config.preprocess.sample_rate),
        "punctuation": " ".join(PUNCTUATION),
    }


def write_sherpa_files(directory: Path, tokens: list[str], phone_extractor: str) -> bool:
    """Write tokens.txt, and the lexicon of "ipa", and copy espeak-ng's data; False when its package is missing.

    The lexicon, of English words, is what sherpa-onnx 2 reads, with tokens of its own: a word begins with its boundary,
    where sherpa-onnx ends words and marks with a blank, which gets our id 0. Version 1 reads the data.
    """
    lines = [f"{symbol} {ids[0]}" for symbol, ids in phoneme_id_map(tokens, phone_extractor).items()]
    write_text(directory / SHERPA_TOKENS, "\n".join(lines) + "\n")
    if phone_extractor == "ipa":
        words = {**plain_cmudict(), **our_words()}
        spelt = (f"{word} {LEXICON_BOUNDARY} {' '.join(arpabet_to_ipa(words[word].split()))}" for word in sorted(words))
        write_text(directory / SHERPA_LEXICON, "\n".join(spelt) + "\n")
        parted = (LEXICON_BOUNDARY + line[1:] if line.startswith(WORD_BOUNDARY) else line for line in lines)
        write_text(directory / LEXICON_TOKENS, "\n".join([*parted, "  0"]) + "\n")
    try:
        import espeakng_loader
    except ImportError:
        return False
    shutil.copytree(espeakng_loader.get_data_path(), directory / ESPEAK_DATA)
    return True


def _publish(folder: Path, out: Path) -> None:
    """Move everything from a finished folder into `out`; the configuration last, because it says that all is there."""
    out.mkdir(exist_ok=True)
    (out / f"{MODEL}.json").unlink(missing_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == f"{MODEL}.json"):
        target = out / path.name
        if path.is_dir() and target.exists():
            shutil.rmtree(target)
        os.replace(path, target)
