"""Config files of Amphion's Jets recipe, as its users have them: what means something here is honoured.

Key names are those of Amphion's config/base.json, config/tts.json, config/jets.json and egs/tts/Jets/exp_config.json.
Keys that this project has under the same name and meaning need no entry here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from utils.errors import UserError
from utils.files import project_path
from utils.layers import KeyPath, Layer

# Their key -> our keys that take its value.
_RENAMED: dict[str, tuple[str, ...]] = {
    "train.grad_clip_thresh": ("train.grad_clip",),
    "train.save_summary_steps": ("train.log_interval",),
    "train.keep_checkpoint_max": ("train.keep_last",),
    "model.transformer.encoder_hidden": ("model.hidden_channels",),
    "model.transformer.encoder_layer": ("model.encoder.layers",),
    "model.transformer.encoder_head": ("model.encoder.heads",),
    "model.transformer.encoder_dropout": ("model.encoder.dropout",),
    "model.transformer.decoder_hidden": ("model.hidden_channels",),
    "model.transformer.decoder_layer": ("model.decoder.layers",),
    "model.transformer.decoder_head": ("model.decoder.heads",),
    "model.transformer.decoder_dropout": ("model.decoder.dropout",),
    "model.transformer.conv_filter_size": ("model.encoder.ffn_channels", "model.decoder.ffn_channels"),
    **{
        f"model.variance_predictor.{theirs}": tuple(
            f"model.{predictor}_predictor.{ours}" for predictor in ("duration", "pitch", "energy")
        )
        for theirs, ours in (("filter_size", "channels"), ("kernel_size", "kernel_size"), ("dropout", "dropout"))
    },
}

# Without a counterpart here: one warning names those that a file has.
_IGNORED: dict[str, str] = {
    "": "task_type supported_model_type use_custom_dataset",
    "preprocess.": """
        extract_audio extract_mel extract_pitch extract_uv extract_energy extract_duration extract_phone
        extract_linear_spec extract_mcep extract_acoustic_token extract_label extract_amplitude_phase
        extract_whisper_feature extract_contentvec_feature extract_mert_feature extract_wenet_feature
        use_audio use_audios use_text use_phone use_phn_seq use_lab use_linear use_mel use_min_max_norm_mel use_wav
        use_phone_pitch use_log_scale_pitch use_phone_energy use_phone_duration use_log_scale_energy use_wenet use_dur
        use_spkid use_emoid use_frame_pitch use_uv use_frame_energy use_frame_duration use_label use_one_hot
        use_amplitude_phase
        mel_extract_mode mel_min_max_norm pitch_extractor pitch_norm pitch_remove_outlier pitch_bin pitch_max pitch_min
        energy_extract_mode energy_norm energy_remove_outlier min_level_db ref_level_db bits is_label is_mu_law
        text_cleaners data_augment num_silent_frames trim_fft_size trim_hop_size align_mel_duration
        raw_data trimmed_wav_dir phone_dir wav_dir audio_dir log_amplitude_dir phase_dir real_dir imaginary_dir
        label_dir linear_dir mel_dir mcep_dir dur_dir symbols_dict lab_dir wenet_dir contentvec_dir content_vector_dir
        whisper_dir mert_dir mel_min_max_stats_dir pitch_dir energy_dir phone_pitch_dir phone_energy_dir uv_dir
        duration_dir phone_seq_file file_lst train_file valid_file spk2id utt2spk emo2id utt2emo
    """,
    "model.": "variance_embedding max_seq_len text_token_num",
    "model.transformer.": "conv_kernel_size",
    "train.": """
        ddp max_steps tracker save_checkpoint_stride run_eval optimizer adamw adam scheduler reducelronplateau
        lr_scheduler sampler dataloader total_training_steps multi_speaker_training sort_sample drop_last group_size
    """,
}
_DROPPED = {tuple(f"{section}{name}".split(".")) for section, names in _IGNORED.items() for name in names.split()}
_FACTOR = ("train", "upsample_factor")
# Sections that none of our keys lies in.
_THEIR_SECTIONS = (("model", "transformer"), ("model", "variance_predictor"))
# Amphion's "-1: no limit" of max_epoch.
_NO_LIMIT = 1_000_000


def translate(layer: Layer) -> Layer:
    """The same layer in this project's keys; UserError for Mandarin phones or unequal widths, which are unsupported."""
    sections = (layer.tree.get(name, {}) for name in ("preprocess", "model", "train"))
    if not all(isinstance(section, dict) for section in sections):
        return layer  # The strict parse says what is wrong with it.
    values = dict(_values(layer.tree))
    renamed: dict[KeyPath, str] = {}
    ignored: list[str] = []
    for key, ours in _RENAMED.items():
        theirs = tuple(key.split("."))
        if theirs not in values:
            continue
        value = values.pop(theirs)
        for target in (tuple(name.split(".")) for name in ours):
            if any(values.get(target[:length], {}) != {} for length in range(1, len(target))):
                continue  # The strict parse says that this is no section.
            if target not in values:
                values[target], renamed[target] = value, key
            elif target not in renamed:
                ignored.append(key)
            elif values[target] != value:
                differ = f"{renamed[target]} ({values[target]}) and {key} ({value}) differ"
                one = f"the encoder and the decoder have one width here, {'.'.join(target)}"
                raise UserError(f"{layer.name}: {differ}; {one}")
    for path in [path for path in values if path in _DROPPED or path[:2] in _DROPPED or path[:3] in _DROPPED]:
        del values[path]
        ignored.append(".".join(next(path[:n] for n in (1, 2, 3) if path[:n] in _DROPPED)))
    ignored += _adapted(layer.name, values)
    factor = values.pop(_FACTOR, None)
    tree: dict[str, Any] = {}
    for path, value in values.items():
        if path not in _THEIR_SECTIONS or value != {}:
            section = tree
            for part in path[:-1]:
                section = section.setdefault(part, {})
            section[path[-1]] = value
    return Layer(layer.name, tree, renamed, tuple(dict.fromkeys(ignored)), factor)


def warn_ignored(layers: Sequence[Layer], log: logging.Logger) -> None:
    """One warning for all keys of Amphion's recipe that change nothing here."""
    found = [(layer.name, layer.ignored) for layer in layers if layer.ignored]
    if found:
        named = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in found)
        log.warning("these keys of Amphion's recipe have no effect here and are left out: %s", named)


def check_upsample_factor(layers: Sequence[Layer], hop_size: int) -> None:
    """Amphion repeats the hop size as train.upsample_factor; UserError when the two disagree."""
    for layer in layers:
        if layer.upsample_factor is not None and layer.upsample_factor != hop_size:
            rule = f"train.upsample_factor ({layer.upsample_factor}) must equal preprocess.hop_size ({hop_size})"
            raise UserError(f"{layer.name}: {rule}; it can be left out")


def _values(tree: dict[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value of a tree with its path; an empty section is a value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _values(value, (*at, key))
        else:
            yield (*at, key), value


def _adapted(name: str, values: dict[KeyPath, Any]) -> list[str]:
    """Bring values of keys that both have into our form; returns the keys whose value means nothing here."""
    ignored: list[str] = []
    keep_last, max_epoch = ("train", "keep_last"), ("train", "max_epoch")
    if isinstance(values.get(keep_last), list):
        if kept := [count for count in values.pop(keep_last) if isinstance(count, int) and count > 0]:
            values[keep_last] = kept[0]
        else:
            ignored.append("train.keep_last")
    if values.get(max_epoch) == -1:
        values[max_epoch] = _NO_LIMIT
    extractor = values.get(("preprocess", "phone_extractor"))
    if isinstance(extractor, str) and extractor.startswith("pypinyin"):
        problem = f'preprocess.phone_extractor "{extractor}" (Mandarin) is not supported'
        raise UserError(f'{name}: {problem}; use "ipa" (US English) or "espeak"')
    lexicon = values.get(("preprocess", "lexicon_path"))
    if isinstance(lexicon, str) and lexicon.endswith("librispeech-lexicon.txt") and not project_path(lexicon).exists():
        del values[("preprocess", "lexicon_path")]  # Amphion's own default, a file of its repository.
        ignored.append("preprocess.lexicon_path")
    return ignored
