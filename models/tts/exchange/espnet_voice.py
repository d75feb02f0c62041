"""Voices from ESPnet2 to an experiment folder of ours, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from config.schema import config_to_dict
from models.base.checkpoints import find_checkpoint, load_plain, load_weights, save_checkpoint
from models.base.experiment import TOKENS, Experiment, beside, voice_tokens
from models.registry import load_experiment_config
from models.tts.exchange import espnet_names as names
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import JetsNetwork
from models.tts.voice import speaking_weights
from models.vocoders.discriminators import Discriminators
from processors.cast import Cast
from processors.text.tokens import PAD, UNKNOWN, load_tokens
from utils.errors import UserError, one_line
from utils.files import PROJECT_ROOT, from_root, regular, shown, whole_folder
from utils.layers import Layer, read_chain
from utils.strict import strict_parse

# How ESPnet got from text to tokens, and what we can repeat; ours have their own entry in an exported config.
TEXT = {"token_type": "phn", "cleaner": "tacotron", "g2p": "g2p_en_no_space"}
PLAIN_TEXT = {"token_type": "phn", "cleaner": None, "g2p": None}
OWN = "toolkit"
MODEL_FILE, CONFIG_FILE = "train.total_count.ave_1best.pth", "config.yaml"
NORMALISERS = ("normalize", "pitch_normalize", "energy_normalize")


def import_voice(model: Path, config: Path, out: Path) -> list[str]:
    """Make the experiment folder `out` of ESPnet's `model` (.pth) and `config` (config.yaml); notes for the user.

    Raises UserError when a file is missing, broken or of another model, or when `out` is taken.
    """
    if out.exists():
        raise UserError(f"{out} exists already: choose another --out")
    theirs = read_config(config)
    state = read_tensors(model)
    tokens = read_token_list(theirs, config)
    try:
        tree, unlike = names.from_espnet(theirs, shown(config))
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError) as error:
        # A text where a number belongs, the logarithm of a negative base ...: there is no end to them.
        raise UserError(f"{shown(config)} holds a value that makes no sense ({one_line(error)})") from error
    front_end = _front_end(theirs, config)
    tree["preprocess"].update(front_end)
    if front_end["phone_extractor"] == "espnet":
        tree["preprocess"]["tokens_path"] = from_root(out / TOKENS)
    elif tokens[0] == UNKNOWN:
        tokens = [PAD, *tokens[1:]]
    for name in NORMALISERS:
        if theirs.get(name) is not None and f"{name}.mean" not in state:
            raise UserError(
                f"{shown(model)} has no tensor {name}.mean; is it a JETS checkpoint, and of this config.yaml?"
            )
    jets = _parsed(tree, shown(config))
    sizes = jets.model
    stacks = (sizes.encoder, sizes.decoder, sizes.duration_predictor, sizes.pitch_predictor, sizes.energy_predictor)
    if max(*(stack.layers for stack in stacks), sizes.discriminator.scales) > len(state):
        raise UserError(
            f"{shown(config)} describes more layers than {shown(model)} has tensors; do the two belong together?"
        )
    try:
        # Names and shapes are enough; weights of any size that a config may claim would have to fit into memory.
        with torch.device("meta"):
            network = JetsNetwork(jets.model, len(tokens), jets.preprocess.n_mel)
            discriminator = Discriminators(**jets.model.discriminator.model_dump())
    except (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise UserError(f"{shown(config)} describes no model that can be built ({one_line(error)})") from error
    networks = {
        "network": names.import_network(state, network, names.log_base(theirs), shown(model)),
        "discriminator": names.import_discriminator(state, discriminator, shown(model)),
    }
    with whole_folder(out) as folder:
        Experiment(folder, jets).write(tokens, cast=_cast(theirs, jets))
        save_checkpoint(folder, 0, networks, {}, {}, beside(folder, tokens))
    if not unlike:
        return []
    return [f"speech is the same, but training would differ in {', '.join(unlike)}, for which there is no option here"]


def export_voice(expt_dir: Path, out: Path, checkpoint: str = "last") -> None:
    """Write an experiment's checkpoint in ESPnet's naming into the new folder `out`, with the config to load it by.

    Raises UserError when the experiment is missing, has something that ESPnet has not, or `out` is taken.
    """
    if out.exists():
        raise UserError(f"{out} exists already: choose another --out")
    jets = load_experiment_config(expt_dir)
    if not isinstance(jets, JetsConfig):
        raise UserError(f"{expt_dir} holds a {jets.model_type} model, not a Jets one")
    table = load_tokens(expt_dir / TOKENS)
    cast = Cast.read(table)
    counted = jets.model.counted(len(cast.speakers), len(cast.languages))
    theirs = names.to_espnet(config_to_dict(jets.model_copy(update={"model": counted})))
    path = find_checkpoint(expt_dir, checkpoint).path
    discriminator = load_weights(path, name="discriminator")
    state = names.export_state(
        speaking_weights(path), discriminator, len(jets.model.generator_config.resblock_kernel_sizes)
    )
    for section, key in ((names.FEATURES, "feats_extract"), (names.MEL_LOSS, "tts.mel_loss.wav_to_mel")):
        state[f"{key}.logmel.melmat"] = _mel_basis(theirs, section)
    tokens = voice_tokens(expt_dir, path)
    if table["phone_extractor"] == "espnet":
        theirs.update(TEXT)
    else:
        # ESPnet needs a token for what it doesn't know; padding, which no text contains, becomes it.
        tokens[tokens.index(PAD)] = UNKNOWN
        known = ("phone_extractor", "language", "speakers", "languages")
        theirs.update({**PLAIN_TEXT, OWN: {key: table[key] for key in known if key in table}})
    theirs["token_list"] = tokens
    with whole_folder(out) as folder:
        torch.save(state, folder / MODEL_FILE)
        for name in NORMALISERS:
            # The sums that ESPnet's GlobalMVN wants at construction; the model file then overrides them, bit for bit.
            mean, std = state[f"{name}.mean"].double().numpy(), state[f"{name}.std"].double().numpy()
            statistics = f"{name}_stats.npz"
            np.savez(folder / statistics, count=np.array(1.0), sum=mean, sum_square=std**2 + mean**2)
            theirs[f"{name}_conf"] = {"stats_file": str((out / statistics).absolute())}
        text = yaml.safe_dump(theirs, allow_unicode=True, sort_keys=False)
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict in a .pth file; nothing in the file can run code.

    Raises UserError when it is missing, shortened, or anything but a file of tensors.
    """
    example = "give ESPnet's model, such as train.total_count.ave_5best.pth"
    try:
        loaded = load_plain(regular(path))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; {example}") from None
    except (OSError, ValueError) as error:
        problem = f"holds no plain tensors, or not all of them ({one_line(error)})"
        raise UserError(f"{path} {problem}, so that it is not loaded; {example}") from None
    for wrapper in ("model", "module"):
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not any(isinstance(value, Tensor) for value in loaded.values()):
        raise UserError(f"{path} holds no state dict; {example}")
    return {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}


def read_config(path: Path) -> dict[str, Any]:
    """ESPnet's config.yaml as a tree. Raises UserError when it is missing or no YAML."""
    try:
        theirs = yaml.safe_load(regular(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; give the config.yaml beside ESPnet's model") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} is no readable YAML ({' '.join(str(error).split())[:150]})") from None
    if not isinstance(theirs, dict):
        raise UserError(f"{path} is no config of ESPnet: it holds {type(theirs).__name__}, not keys and values")
    return theirs


def read_token_list(theirs: dict[str, Any], config: Path) -> list[str]:
    """The voice's tokens, from the config itself or from the file that it names.

    Raises UserError when there is none, or when it isn't a list of different tokens with "<unk>".
    """
    tokens = theirs.get("token_list")
    if isinstance(tokens, str):
        candidates = [Path(tokens), config.parent / tokens, config.parent / Path(tokens).name]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise UserError(
                f"{shown(config)}: token_list names the file {tokens}, which is missing; copy it beside the config"
            )
        tokens = [line[:1] + line[1:].rstrip() for line in found.read_text(encoding="utf-8").splitlines()]
    if tokens is None:
        raise UserError(f"{shown(config)} has no token_list; give the config.yaml that ESPnet wrote in training")
    well_formed = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens) and UNKNOWN in tokens
    # Half a surrogate pair cannot be written.
    if not well_formed or len(set(tokens)) < len(tokens) or any("\ud800" <= c <= "\udfff" for c in "".join(tokens)):
        raise UserError(f'{shown(config)}: token_list must be a list of different tokens, "{UNKNOWN}" among them')
    return tokens


def _front_end(theirs: dict[str, Any], config: Path) -> dict[str, Any]:
    own = theirs.get(OWN)
    if isinstance(own, dict):
        return {key: own.get(key) for key in ("phone_extractor", "language")}
    for key, wanted in TEXT.items():
        if theirs.get(key) != wanted:
            raise UserError(
                f"{shown(config)}: {key} is {theirs.get(key)!r}; only text by "
                f"{', '.join(f'{k} {v}' for k, v in TEXT.items())} can be repeated here"
            )
    return {"phone_extractor": "espnet", "language": "en-us"}


def _cast(theirs: dict[str, Any], jets: JetsConfig) -> Cast:
    """Speakers and languages of a voice; ESPnet knows their numbers only, unless it is one of ours."""
    own, model = theirs.get(OWN), jets.model
    languages = tuple(map(str, range(model.langs or 0)))
    spoken = languages[0] if languages else jets.preprocess.language
    cast = Cast({str(number): spoken for number in range(model.spks or 0)}, languages, jets.preprocess.language)
    if not isinstance(own, dict):
        return cast
    speakers, tongues = own.get("speakers", {}), own.get("languages", [])
    fits = isinstance(speakers, dict) and isinstance(tongues, list)
    fits = fits and all(isinstance(name, str) for name in (*speakers, *speakers.values(), *tongues))
    sizes = ((speakers, cast.speakers), (tongues, languages))
    fits = fits and all(max(len(mine), 1) == max(len(there), 1) for mine, there in sizes)
    return Cast(speakers, tuple(tongues), cast.language) if fits else cast


def _parsed(tree: dict[str, Any], source: str) -> JetsConfig:
    shared = {ours: key for key, _, targets in names.SHARED for ours in targets}
    ours_to_theirs = {**shared, **{ours: key for key, ours in names.TABLE["open"].items()}}
    own = Layer(source, tree, renamed={tuple(ours.split(".")): key for ours, key in ours_to_theirs.items()})
    return strict_parse([*read_chain(PROJECT_ROOT / "config" / "jets.json"), own], JetsConfig)


def _mel_basis(theirs: dict[str, Any], section: str) -> Tensor:
    import librosa

    conf = {key: names.lookup(theirs, f"{section}.{key}") for key in ("fs", "n_fft", "n_mels", "fmin", "fmax")}
    basis = librosa.filters.mel(
        sr=conf["fs"], n_fft=conf["n_fft"], n_mels=conf["n_mels"], fmin=conf["fmin"] or 0, fmax=conf["fmax"]
    )
    return torch.from_numpy(basis.T.copy()).float()
