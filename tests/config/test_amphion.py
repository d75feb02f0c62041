"""Config files of Amphion's Jets recipe."""

from __future__ import annotations

import logging

import pytest

from models.registry import load_config
from utils.errors import UserError

# The keys and values of Amphion's egs/tts/Jets/exp_config.json.
RECIPE = """
  model_type: "Jets", dataset: ["LJSpeech"], dataset_path: {LJSpeech: "../LJSpeech-1.1"}, log_dir: "ckpts/tts",
  preprocess: {processed_dir: "data", sample_rate: 22050, use_audios: true, extract_audio: true},
  train: {batch_size: 16, max_epoch: 100, learning_rate: 2e-4, AdamW: {betas: [0.8, 0.99], eps: 1e-9},
          lr_decay: 0.999875, segment_size: 64, upsample_factor: 256}
"""


def test_recipe_loads_with_one_warning(write, caplog):
    with caplog.at_level(logging.WARNING):
        config = load_config(write(RECIPE))
    assert config.dataset_path["LJSpeech"] == "../LJSpeech-1.1"
    assert (config.train.segment_size, config.train.learning_rate) == (64, 2e-4)
    assert len(caplog.records) == 1
    assert caplog.text.count("preprocess.use_audios") == caplog.text.count("preprocess.extract_audio") == 1
    assert "upsample_factor" not in caplog.text


def test_keys_that_mean_something_are_honoured(write, caplog):
    with caplog.at_level(logging.WARNING):
        config = load_config(
            write("""
            preprocess: {f0_min: 60, f0_max: 600, trim_silence: true, trim_top_db: 30, fmin: 0, fmax: 8000},
            model: {
              transformer: {encoder_layer: 3, encoder_head: 4, encoder_hidden: 128, decoder_layer: 5, decoder_head: 1,
                            decoder_hidden: 128, conv_filter_size: 512, encoder_dropout: 0.1, decoder_dropout: 0.3},
              variance_predictor: {filter_size: 64, kernel_size: 5, dropout: 0.4}},
            train: {grad_clip_thresh: 1.0, save_summary_steps: 70, keep_checkpoint_max: 4, valid_interval: 11,
                    random_seed: 5, gradient_accumulation_step: 2, max_epoch: -1}
            """)
        )
    model, train = config.model, config.train
    assert (model.hidden_channels, model.encoder.layers, model.encoder.heads, model.encoder.dropout) == (128, 3, 4, 0.1)
    assert (model.decoder.layers, model.decoder.heads, model.decoder.dropout) == (5, 1, 0.3)
    assert (model.encoder.ffn_channels, model.decoder.ffn_channels) == (512, 512)
    for predictor in (model.duration_predictor, model.pitch_predictor, model.energy_predictor):
        assert (predictor.channels, predictor.kernel_size, predictor.dropout) == (64, 5, 0.4)
    assert (train.grad_clip, train.log_interval, train.keep_last) == (1.0, 70, 4)
    assert (train.valid_interval, train.random_seed, train.gradient_accumulation_step) == (11, 5, 2)
    assert train.max_epoch >= 1_000_000
    assert (config.preprocess.trim_top_db, config.preprocess.fmax) == (30.0, 8000.0)
    assert not caplog.records


def test_keys_without_a_counterpart_are_named(write, caplog):
    with caplog.at_level(logging.WARNING):
        load_config(
            write("""
            task_type: "tts", supported_model_type: ["VITS"], use_custom_dataset: false,
            preprocess: {extract_mel: true, pitch_extractor: "dio", energy_norm: true, valid_file: "test.json",
                         text_cleaners: ["english_cleaners"], spk2id: "spk2id.json", align_mel_duration: true,
                         lexicon_path: "./text/lexicon/librispeech-lexicon.txt", min_level_db: -115, bits: 8},
            model: {max_seq_len: 1000, text_token_num: 512, variance_embedding: {n_bins: 256},
                    transformer: {conv_kernel_size: [9, 1]}},
            train: {ddp: true, max_steps: 10, tracker: ["tensorboard"], scheduler: "NoamLR", adam: {lr: 0.06},
                    dataloader: {num_worker: 8}, keep_last: [-1], sort_sample: true, group_size: 4}
            """)
        )
    assert len(caplog.records) == 1
    for key in (
        "task_type", "preprocess.extract_mel", "preprocess.valid_file", "preprocess.lexicon_path", "model.max_seq_len",
        "model.variance_embedding", "model.transformer.conv_kernel_size", "train.scheduler", "train.adam",
        "train.keep_last", "train.dataloader",
    ):  # fmt: skip
        assert key in caplog.text


def test_a_factor_never_changes_the_hop_size_of_a_base(write):
    write("preprocess: {hop_size: 300}, model: {generator: 'istft'}", "base.json")
    with pytest.raises(UserError, match=r"exp.json: train.upsample_factor \(256\) and .* \(300\) differ"):
        load_config(write("train: {upsample_factor: 256}", base="base.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {upsample_factor: 300}", r"exp.json: train.upsample_factor \(300\) .*hop_size \(256\) differ"),
        ("preprocess: {phone_extractor: 'pypinyin_initials_finals'}", "Mandarin. is not supported"),
        ("model: {transformer: {encoder_hidden: 256, decoder_hidden: 128}}", "decoder_hidden .128. differ"),
        ("model: {transformer: {encoder_layer: 0}}", "exp.json: model.transformer.encoder_layer must be above 0"),
        ("model: {transformer: {encoder_layers: 4}}", "unknown key model.transformer"),
        ("preprocess: {extract_mels: true}", "unknown key preprocess.extract_mels"),
        ("train: {grad_clip_threshold: 1}", "unknown key train.grad_clip_threshold"),
    ],
)
def test_everything_else_is_strict(write, text, message):
    with pytest.raises(UserError, match=message):
        load_config(write(text))
