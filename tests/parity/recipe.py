"""The recipe that both sides are built from: ESPnet's train_jets.yaml, and a small variant of it."""

from __future__ import annotations

import copy
from typing import Any

from models.tts.exchange.espnet_names import put

N_MEL, HOP = 80, 256
G, S, P = (
    f"tts_conf.{section}."
    for section in (
        "generator_params",
        "discriminator_params.scale_discriminator_params",
        "discriminator_params.period_discriminator_params",
    )
)

# The tokens of ESPnet's LJSpeech recipe: its own symbols around ARPAbet and punctuation.
TOKENS = [
    "<blank>", "<unk>", "AH0", "T", "N", "D", "S", "R", "L", "DH", "IH1", "K", "Z", "M", "EH1", "P", "W", "AE1", "AH1",
    "V", "IH0", "F", "AY1", "B", "IY1", "ER0", ",", "HH", "IY0", "AO1", ".", "EY1", "UW1", "AA1", "OW1", "G", "NG",
    "SH", "JH", "Y", "TH", "ER1", "CH", "UH1", "AW1", "AE2", "EH2", "IH2", "AY2", "EY2", "OW2", "AO2", "AA2", "UW2",
    "OW0", "AH2", "IY2", "UW0", "EH0", "ER2", "UH2", "AE0", "AO0", "AA0", "EY0", "AY0", "OY1", "AW2", "ZH", "OY2",
    "UH0", "AW0", "OY0", "'", "?", "!", "..", "<sos/eos>",
]  # fmt: skip

# Hyperparameters of ESPnet's egs2/ljspeech/tts1/conf/tuning/train_jets.yaml, with the features of its tts.sh.
TRAIN_JETS: dict[str, Any] = {
    "tts": "jets",
    "odim": None,
    "tts_conf": {
        "generator_type": "jets_generator",
        "generator_params": {
            "adim": 256, "aheads": 2, "elayers": 4, "eunits": 1024, "dlayers": 4, "dunits": 1024,
            "positionwise_layer_type": "conv1d", "positionwise_conv_kernel_size": 3,
            "duration_predictor_layers": 2, "duration_predictor_chans": 256, "duration_predictor_kernel_size": 3,
            "use_masking": True, "encoder_normalize_before": True, "decoder_normalize_before": True,
            "encoder_type": "transformer", "decoder_type": "transformer", "conformer_rel_pos_type": "latest",
            "init_type": "xavier_uniform",
            **{f"transformer_{part}_{kind}": 0.2 for part in ("enc", "dec")
               for kind in ("dropout_rate", "positional_dropout_rate", "attn_dropout_rate")},
            "pitch_predictor_layers": 5, "pitch_predictor_chans": 256, "pitch_predictor_kernel_size": 5,
            "pitch_predictor_dropout": 0.5, "pitch_embed_kernel_size": 1, "pitch_embed_dropout": 0.0,
            "stop_gradient_from_pitch_predictor": True,
            "energy_predictor_layers": 2, "energy_predictor_chans": 256, "energy_predictor_kernel_size": 3,
            "energy_predictor_dropout": 0.5, "energy_embed_kernel_size": 1, "energy_embed_dropout": 0.0,
            "stop_gradient_from_energy_predictor": False,
            "generator_out_channels": 1, "generator_channels": 512, "generator_global_channels": -1,
            "generator_kernel_size": 7, "generator_upsample_scales": [8, 8, 2, 2],
            "generator_upsample_kernel_sizes": [16, 16, 4, 4], "generator_resblock_kernel_sizes": [3, 7, 11],
            "generator_resblock_dilations": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
            "generator_use_additional_convs": True, "generator_bias": True,
            "generator_nonlinear_activation": "LeakyReLU",
            "generator_nonlinear_activation_params": {"negative_slope": 0.1},
            "generator_use_weight_norm": True, "segment_size": 32,
        },
        "discriminator_type": "hifigan_multi_scale_multi_period_discriminator",
        "discriminator_params": {
            "scales": 1, "scale_downsample_pooling": "AvgPool1d",
            "scale_downsample_pooling_params": {"kernel_size": 4, "stride": 2, "padding": 2},
            "scale_discriminator_params": {
                "in_channels": 1, "out_channels": 1, "kernel_sizes": [15, 41, 5, 3], "channels": 128,
                "max_downsample_channels": 1024, "max_groups": 16, "bias": True,
                "downsample_scales": [2, 2, 4, 4, 1], "nonlinear_activation": "LeakyReLU",
                "nonlinear_activation_params": {"negative_slope": 0.1}, "use_weight_norm": True,
                "use_spectral_norm": False,
            },
            "follow_official_norm": False, "periods": [2, 3, 5, 7, 11],
            "period_discriminator_params": {
                "in_channels": 1, "out_channels": 1, "kernel_sizes": [5, 3], "channels": 32,
                "downsample_scales": [3, 3, 3, 3, 1], "max_downsample_channels": 1024, "bias": True,
                "nonlinear_activation": "LeakyReLU", "nonlinear_activation_params": {"negative_slope": 0.1},
                "use_weight_norm": True, "use_spectral_norm": False,
            },
        },
        "generator_adv_loss_params": {"average_by_discriminators": False, "loss_type": "mse"},
        "discriminator_adv_loss_params": {"average_by_discriminators": False, "loss_type": "mse"},
        "feat_match_loss_params": {
            "average_by_discriminators": False, "average_by_layers": False, "include_final_outputs": True,
        },
        "mel_loss_params": {
            "fs": 22050, "n_fft": 1024, "hop_length": 256, "win_length": None, "window": "hann", "n_mels": 80,
            "fmin": 0, "fmax": None, "log_base": None,
        },
        "lambda_adv": 1.0, "lambda_mel": 45.0, "lambda_feat_match": 2.0, "lambda_var": 1.0, "lambda_align": 1.0,
        "sampling_rate": 22050, "cache_generator_outputs": True,
    },
    "feats_extract": "fbank",
    "feats_extract_conf": {
        "n_fft": 1024, "hop_length": 256, "win_length": None, "fs": 22050, "fmin": 80, "fmax": 7600, "n_mels": 80,
    },
    "normalize": "global_mvn",
    "pitch_extract": "dio",
    "pitch_extract_conf": {
        "fs": 22050, "n_fft": 1024, "hop_length": 256, "f0max": 400, "f0min": 80, "reduction_factor": 1,
        "use_token_averaged_f0": False,
    },
    "pitch_normalize": "global_mvn",
    "energy_extract": "energy",
    "energy_extract_conf": {
        "fs": 22050, "n_fft": 1024, "hop_length": 256, "win_length": None, "reduction_factor": 1,
        "use_token_averaged_energy": False,
    },
    "energy_normalize": "global_mvn",
    "optim": "adamw",
    "optim_conf": {"lr": 2.0e-4, "betas": [0.8, 0.99], "eps": 1.0e-9, "weight_decay": 0.0},
    "scheduler": "exponentiallr",
    "scheduler_conf": {"gamma": 0.999875},
    "num_iters_per_epoch": 1000,
    "max_epoch": 1000,
    "token_type": "phn",
    "cleaner": "tacotron",
    "g2p": "g2p_en_no_space",
}  # fmt: skip

SMALL = {
    G + "adim": 64, G + "eunits": 96, G + "dunits": 80, G + "elayers": 2, G + "dlayers": 2,
    G + "duration_predictor_chans": 48, G + "pitch_predictor_chans": 40, G + "energy_predictor_chans": 56,
    G + "generator_channels": 64, S + "channels": 16, S + "max_downsample_channels": 64, P + "channels": 4,
    P + "max_downsample_channels": 32,
}  # fmt: skip


def espnet_config(full: bool = False, **changes: Any) -> dict[str, Any]:
    """ESPnet's training config, in the published size or a small one; `changes` by dotted key."""
    config = copy.deepcopy(TRAIN_JETS)
    for key, value in {**({} if full else SMALL), **changes}.items():
        put(config, key, value)
    return config
