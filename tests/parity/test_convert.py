"""Files: from ESPnet's own to an experiment that speaks, and back, with ESPnet's own loader as the judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from models.base.checkpoints import find_checkpoint, load_weights, save_checkpoint
from models.base.experiment import Experiment
from models.registry import load_config
from models.tts.exchange.espnet_voice import CONFIG_FILE, MODEL_FILE, export_voice, import_voice
from models.tts.jets.network import JetsNetwork
from models.tts.jets.synthesizer import Synthesizer
from models.vocoders.discriminators import Discriminators
from processors.text.tokens import lexicon_tokens
from tests.parity.oracle import Pair
from tests.parity.recipe import TOKENS
from tests.scripts import load_script
from utils.errors import UserError
from utils.files import PROJECT_ROOT

TOLERANCE = 1e-4
SENTENCE = "Doctor Brown said: the quick fox read 21 books, didn't he?"


@pytest.fixture(scope="module")
def files(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The small voice as ESPnet saved it."""
    from tests.parity.espnet_files import save_espnet, write_statistics
    from tests.parity.recipe import espnet_config

    folder = tmp_path_factory.mktemp("espnet")
    recipe = espnet_config()
    write_statistics(folder, recipe)
    return save_espnet(folder, recipe, pair.espnet)


@pytest.fixture(scope="module")
def voice(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as an experiment of ours."""
    out = tmp_path_factory.mktemp("converted") / "voice"
    assert import_voice(*files, out) == []
    return out


def same(one: Path, other: Path, name: str) -> None:
    """Two checkpoints hold bit-identical tensors."""
    first, second = (load_weights(find_checkpoint(path).path, name=name) for path in (one, other))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_there_and_back_is_bit_exact(voice: Path, tmp_path: Path) -> None:
    export_voice(voice, tmp_path / "espnet")
    import_voice(tmp_path / "espnet" / MODEL_FILE, tmp_path / "espnet" / CONFIG_FILE, tmp_path / "again")
    for name in ("network", "discriminator"):
        same(voice, tmp_path / "again", name)
    one, other = (Synthesizer.from_experiment(path, "cpu") for path in (voice, tmp_path / "again"))
    assert one.config.model == other.config.model
    assert one.config.train.loss == other.config.train.loss
    np.testing.assert_array_equal(one.tts(SENTENCE)[0], other.tts(SENTENCE)[0])


SMALL = [
    "model.hidden_channels=64",
    "model.generators.hifigan.channels=64",
    "model.discriminator.scale_channels=16",
    "model.discriminator.period_channels=4",
]


@pytest.mark.parametrize(
    "changes", [SMALL, [*SMALL, "model.generator=hifigan_light"], []], ids=["small", "light", "default"]
)
def test_our_own_voice_there_and_back_is_bit_exact(tmp_path: Path, changes: list[str]) -> None:
    config = load_config(PROJECT_ROOT / "config/jets.json", changes)
    torch.manual_seed(4)
    tokens = lexicon_tokens()
    statistics = {"log_f0_mean": 5.123456789, "log_f0_std": 0.2345678, "energy_mean": 30.123456, "energy_std": 25.1}
    networks = {
        "network": JetsNetwork(config.model, len(tokens), config.preprocess.n_mel, statistics).state_dict(),
        "discriminator": Discriminators(**config.model.discriminator.model_dump()).state_dict(),
    }
    Experiment(tmp_path / "ours", config).write(tokens)
    save_checkpoint(tmp_path / "ours", 12, networks, {}, {})
    export_voice(tmp_path / "ours", tmp_path / "espnet")
    import_voice(tmp_path / "espnet" / MODEL_FILE, tmp_path / "espnet" / CONFIG_FILE, tmp_path / "again")
    for name in ("network", "discriminator"):
        same(tmp_path / "ours", tmp_path / "again", name)
    assert (tmp_path / "ours/tokens.json").read_bytes() == (tmp_path / "again/tokens.json").read_bytes()


def test_espnets_own_loader_takes_our_files(voice: Path, tmp_path: Path) -> None:
    """GANTTSTask builds the model from our config, every tensor finds its place, and it says what we say."""
    export_voice(voice, tmp_path / "espnet")
    synthesizer = Synthesizer.from_experiment(voice, "cpu")
    ids = synthesizer.script.frontend.encode(SENTENCE)
    expected = synthesizer.network.infer(torch.tensor([ids]), torch.tensor([len(ids)])).waveform[0]
    np.save(tmp_path / "ids.npy", np.array(ids))
    script = PROJECT_ROOT / "tests/parity/espnet_loader.py"
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "espnet"), str(tmp_path / "ids.npy"), str(tmp_path / "wave.npy")],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    spoken = np.load(tmp_path / "wave.npy")
    assert spoken.shape == expected.shape
    assert float(np.abs(spoken - expected.numpy()).max()) < TOLERANCE


def test_stage_3_speaks_with_a_converted_voice(voice: Path, tmp_path: Path) -> None:
    import soundfile

    result = subprocess.run(
        ["sh", str(PROJECT_ROOT / "egs/tts/Jets/run.sh"), "--stage", "3", "--gpu", "cpu",
         "--infer_expt_dir", str(voice), "--infer_mode", "single", "--infer_text", SENTENCE,
         "--infer_output_dir", str(tmp_path / "result")],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    (wav,) = (tmp_path / "result").rglob("*.wav")
    audio, rate = soundfile.read(wav)
    assert rate == 22050
    assert len(audio) > 1024
    assert np.abs(audio).max() > 0.001


def test_layers_that_espnet_saved_without_weight_norm(files: tuple[Path, Path], voice: Path, tmp_path: Path) -> None:
    """ESPnet's scale discriminators had none until 2023, whatever their config said."""
    state = torch.load(files[0], weights_only=True)
    for name in [name for name in state if ".msd." in name and name.endswith("weight_g")]:
        stem = name.removesuffix("_g")
        direction, length = state.pop(stem + "_v"), state.pop(name)
        state[stem] = direction / direction.flatten(1).norm(dim=1).view(length.shape) * length
    torch.save(state, tmp_path / "old.pth")
    import_voice(tmp_path / "old.pth", files[1], tmp_path / "voice")
    audio = torch.randn(1, 8192, generator=torch.Generator().manual_seed(1))
    judgements = []
    for folder in (voice, tmp_path / "voice"):
        discriminator = Discriminators(
            **Synthesizer.from_experiment(folder, "cpu").config.model.discriminator.model_dump()
        )
        discriminator.load_state_dict(load_weights(find_checkpoint(folder).path, name="discriminator"))
        with torch.no_grad():
            judgements.append(discriminator(audio)[0][-1])
    torch.testing.assert_close(judgements[0], judgements[1], atol=1e-5, rtol=1e-4)


class Evil:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_malicious_model_runs_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    torch.save(
        {"tts.generator.encoder.embed.0.weight": torch.zeros(1), "x": Evil(tmp_path / "ran")}, tmp_path / "evil.pth"
    )
    with pytest.raises(UserError, match="holds no plain tensors"):
        import_voice(tmp_path / "evil.pth", files[1], tmp_path / "voice")
    assert not (tmp_path / "ran").exists()


def _changed(files: tuple[Path, Path], tmp_path: Path, change: dict) -> Path:
    """The config with some dotted keys changed; None removes one."""
    config = yaml.safe_load(files[1].read_text())
    for key, value in change.items():
        *sections, last = key.split(".")
        section = config
        for name in sections:
            section = section[name]
        if value is None:
            section.pop(last, None)
        else:
            section[last] = value
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tts": "vits"}, "describes the model 'vits'"), ({"tts": None}, "names no TTS model"),
        ({"token_list": None}, "has no token_list"),
        ({"token_list": "data/token_list/tokens.txt"}, "names the file data/token_list/tokens.txt, which is missing"),
        ({"token_list": ["<blank>", "A", "B"]}, '"<unk>" among them'),
        ({"token_list": TOKENS[:-1]}, "tts.generator.encoder.embed.0.weight has the shape"),
        ({"token_type": "char"}, "token_type is 'char'"),
        ({"g2p": "espeak_ng_english_us_vits"}, "g2p is 'espeak_ng_english_us_vits'"),
        ({"cleaner": "jaconv"}, "cleaner is 'jaconv'"), ({"odim": 80}, "odim is 80"),
        ({"feats_extract": "linear_spectrogram"}, "feats_extract is 'linear_spectrogram'"),
        ({"normalize": "utterance_mvn"}, "normalize is 'utterance_mvn'"),
        ({"pitch_extract_conf.use_log_f0": False}, "use_log_f0 is False"),
        ({"tts_conf.generator_params": None}, "the section tts_conf.generator_params is missing"),
        ({"tts_conf.generator_params.encoder_type": "conformer"}, "encoder_type is 'conformer'"),
        ({"tts_conf.generator_params.use_gst": True}, "use_gst is True"),
        ({"tts_conf.generator_params.spks": 108}, "has no tensor tts.generator.sid_emb.weight"),
        ({"tts_conf.generator_params.langs": 2}, "has no tensor tts.generator.lid_emb.weight"),
        ({"tts_conf.generator_params.spk_embed_dim": 192}, "has no tensor tts.generator.projection"),
        ({"tts_conf.generator_params.reduction_factor": 2}, "reduction_factor is 2"),
        ({"tts_conf.generator_params.positionwise_layer_type": "linear"}, "positionwise_layer_type is 'linear'"),
        ({"tts_conf.generator_params.use_scaled_pos_enc": False}, "use_scaled_pos_enc is False"),
        ({"tts_conf.discriminator_params.follow_official_norm": True}, "follow_official_norm is True"),
        ({"tts_conf.discriminator_type": "hifigan_period_discriminator"}, "discriminator_type is 'hifigan_period"),
        ({"tts_conf.generator_params.adim": 62}, "62"),
        ({"tts_conf.generator_params.elayers": 3}, "has no tensor tts.generator.encoder.encoders.2."),
        ({"tts_conf.generator_params.elayers": 1}, "has the tensor tts.generator.encoder.encoders.1."),
        ({"tts_conf.generator_params.eunits": 128}, "feed_forward.w_1.weight has the shape"),
        ({"tts_conf.generator_params.elayers": 10**6}, "must be at most 256"),
        ({"tts_conf.generator_params.eunits": 60_000}, "where the model needs (60000,"),
        ({"tts_conf.generator_params.elayers": "four"}, "tts_conf.generator_params.elayers"),
        ({"feats_extract_conf.fs": "fast"}, "'fast'"),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_refused_by_name(
    files: tuple[Path, Path], tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(UserError) as error:
        import_voice(files[0], _changed(files, tmp_path, change), tmp_path / "voice")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("*voice*"))


def test_other_losses_are_only_a_note(files: tuple[Path, Path], tmp_path: Path) -> None:
    config = _changed(files, tmp_path, {"tts_conf.generator_adv_loss_params.loss_type": "hinge"})
    (note,) = import_voice(files[0], config, tmp_path / "voice")
    assert "tts_conf.generator_adv_loss_params.loss_type" in note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"), (b"", "holds no plain tensors"),
        (b"RIFF....WAVEfmt " * 40, "holds no plain tensors"),
        ("half", "holds no plain tensors"), ([1, 2], "holds no state dict"),
        ({"tts.generator.decoder.weight": torch.zeros(2)}, "has no tensor"),
    ],
)  # fmt: skip
def test_a_wrong_model_file_is_refused(files: tuple[Path, Path], tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "model.pth"
    if content == "half":
        path.write_bytes(files[0].read_bytes()[: files[0].stat().st_size // 2])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        import_voice(path, files[1], tmp_path / "voice")
    assert not list(tmp_path.glob("*voice*"))


def test_the_command_line(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_script("convert")

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["convert.py", *map(str, arguments)])
        try:
            status = module.main()
        except SystemExit as stop:
            status = stop.code
        return status, capsys.readouterr().err

    both = ("--espnet_model", files[0], "--espnet_config", files[1], "--out", tmp_path / "voice")
    assert run(*both) == (0, "")
    status, message = run(*both)
    assert status == 2
    assert message.startswith("error: ") and "exists already" in message
    status, message = run("--espnet_model", files[0], "--out", tmp_path / "other")
    assert status == 2
    assert "--espnet_config is missing" in message
    assert run("--to_espnet", "--expt_dir", tmp_path / "voice", "--out", tmp_path / "back") == (0, "")
    assert (tmp_path / "back" / MODEL_FILE).is_file()


def test_what_espnet_lacks_is_not_exported(voice: Path, tmp_path: Path) -> None:
    """Encoder and decoder may differ in width there, too, but not in their number of heads."""
    shutil.copytree(voice, tmp_path / "voice")
    path = tmp_path / "voice/config.json"
    config = json.loads(path.read_text())
    config["model"]["decoder"]["heads"] = 4
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="ESPnet has one aheads"):
        export_voice(tmp_path / "voice", tmp_path / "espnet")
    config["model"]["generator"] = "istft"
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="model.generator is 'istft'"):
        export_voice(tmp_path / "voice", tmp_path / "espnet")
    config["model"]["generator"] = "hifigan"
    config["model"]["discriminator"]["resolutions"] = [512]
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="model.discriminator.resolutions is not empty"):
        export_voice(tmp_path / "voice", tmp_path / "espnet")
    assert not (tmp_path / "espnet").exists()
