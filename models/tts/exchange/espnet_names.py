"""ESPnet's training config and state dict and ours, both ways, from the tables in espnet_names.json.

Weights go over bit for bit: ESPnet keeps queries, keys and values in three matrices where we have one, and the period
discriminators' weights as two-dimensional kernels of width one; everything else differs by name only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.tts.jets.network import JetsNetwork
from utils.errors import UserError
from utils.layers import read_json5

Tree = dict[str, Any]
State = dict[str, Tensor]
TABLE = read_json5(Path(__file__).with_suffix(".json"))
NETWORK_RULES, DISCRIMINATOR_RULES = TABLE["network"], TABLE["discriminator"]
FEATURES, ENERGY, MEL_LOSS = "feats_extract_conf", "energy_extract_conf", "tts_conf.mel_loss_params"
_DEFAULT_RATE = {FEATURES: 16000}  # of these sections' sample rates; 22050 of the others


def _rows(name: str) -> Iterator[tuple[str, Any]]:
    """Dotted key and row of a part of the table."""
    for section, rows in TABLE[name].items():
        yield from ((f"{section}.{key}".lstrip("."), row) for key, row in rows.items())


# ESPnet's key, its default there, and our keys that hold the same value.
SHARED: list[tuple[str, Any, list[str]]] = [(key, default, ours) for key, (default, *ours) in _rows("shared")]
# What our model is by construction: ESPnet's key, its default there, and the values that fit, first the one we write.
FIXED: list[tuple[str, Any, list[Any]]] = [
    *((key, value, [value]) for key, value in _rows("fixed")),
    *((key, default, fits) for key, (default, *fits) in _rows("unlike")),
]
# Sections whose absence means other defaults than those of the table: ESPnet's whole dict of examples.
WRITTEN_OUT = [*(key for key in TABLE["shared"] if key.startswith("tts_conf")), FEATURES] + [
    key for key in TABLE["unlike"] if key.endswith("loss_params")
]
# From which number on these mean something.
LEAST = {"spks": 2, "langs": 2, "spk_embed_dim": 1}
# Where ESPnet tells who speaks, and in which language.
ONLY_ESPNETS: Tree = {"speaker_in": ["encoder"], "language_in": ["encoder"], "normalise_per_speaker": False}
# What only matters to someone who trains on.
TRAINING_ONLY = ("tts_conf.generator_adv", "tts_conf.discriminator_adv", "tts_conf.feat_match", MEL_LOSS)
# ESPnet's prefixes of tensors. Below them, TABLE["network"] and TABLE["discriminator"] turn our names into ESPnet's.
GENERATOR, DISCRIMINATOR = "tts.generator.", "tts.discriminator."
# ESPnet numbers the residual blocks of all upsampling steps in one list.
RESIDUAL_BLOCK = re.compile(r"generator\.blocks\.(\d+)\.(\d+)\.(dilated|plain)\.(\d+)\.(\w+)")
RESIDUAL_CONVS = {"dilated": "convs1", "plain": "convs2"}
_NORMALISERS = {"log_f0": "pitch_normalize", "energy": "energy_normalize", "mel": "normalize"}
STATISTICS = {f"{ours}_{kind}": f"{theirs}.{kind}" for ours, theirs in _NORMALISERS.items() for kind in ("mean", "std")}


def lookup(config: Tree, key: str, default: Any = None) -> Any:
    """The value of a dotted `key`, or `default`."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def put(tree: Tree, key: str, value: Any) -> None:
    """Set a dotted `key`, making sections where they are missing."""
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value


def from_espnet(theirs: Tree, source: str) -> tuple[Tree, list[str]]:
    """Our keys, as a tree, that say what ESPnet's config says; and the options that only training here would miss.

    Raises UserError that names `source` and the option when the model has something that ours has not.
    """
    _check_model(theirs, source)
    ours: Tree = {}
    for key, default, targets in SHARED:
        for target in targets:
            put(ours, target, lookup(theirs, key, default))
    for key, target in TABLE["open"].items():
        if (value := lookup(theirs, key)) is not None:
            put(ours, target, value)
    put(ours, "model.generator", "hifigan")
    # ESPnet has several ways to say that there is nobody to tell apart.
    for key, least in LEAST.items():
        value = ours["model"][key]
        ours["model"][key] = value if type(value) is int and value >= least else None
    if any(ours["model"][key] is not None for key in LEAST):
        ours["model"] |= ONLY_ESPNETS
    spectrum = _spectrum(theirs, FEATURES)
    for name in ("sample_rate", "win_size"):
        put(ours, f"preprocess.{name}", spectrum[name])
    energy = _spectrum(theirs, ENERGY)
    if lookup(theirs, "energy_extract") is not None and energy != {key: spectrum[key] for key in energy}:
        raise UserError(
            f"{source}: energy_extract_conf and feats_extract_conf differ, but here both share one spectrum"
        )
    training = [row for row in FIXED if row[0].startswith(TRAINING_ONLY)]
    unlike = [key for key, default, fits in training if lookup(theirs, key, default) not in fits]
    if spectrum != _spectrum(theirs, MEL_LOSS):
        unlike.append(MEL_LOSS)
    # An L1 distance of logarithms to another base is a multiple of that of natural ones.
    ours["train"]["loss"]["mel"] /= math.log(log_base(theirs, MEL_LOSS))
    for section, key in ((ours["preprocess"], "fmin"), (ours["train"]["loss"], "mel_fmin")):
        section[key] = section[key] or 0
    return ours, unlike


def log_base(theirs: Tree, section: str = FEATURES) -> float:
    """Base of the logarithm of the mel spectrum that `section` describes."""
    base = lookup(theirs, f"{section}.log_base", 10.0)
    return math.e if base is None else float(base)


def _check_model(theirs: Tree, source: str) -> None:
    model = lookup(theirs, "tts")
    if model != "jets":
        other = f"describes the model {model!r}" if isinstance(model, str) else "names no TTS model (key tts)"
        raise UserError(f"{source} {other}; only ESPnet's jets can be converted")
    for section in WRITTEN_OUT:
        if not isinstance(lookup(theirs, section), dict):
            raise UserError(
                f"{source}: the section {section} is missing; give the config.yaml that ESPnet wrote in training"
            )
    for key, default, fits in FIXED:
        value = lookup(theirs, key, default)
        if not key.startswith(TRAINING_ONLY) and value not in fits:
            wanted = f" (it must be {fits[0]!r})" if len(fits) == 1 else ""
            raise UserError(f"{source}: {key} is {value!r}, which this toolkit's JETS does not have{wanted}")


def _spectrum(theirs: Tree, section: str) -> Tree:
    """Sample rate and sizes of the spectrum that `section` describes, by our names, in samples."""
    defaults = {"fs": _DEFAULT_RATE.get(section, 22050), "n_fft": 1024, "hop_length": 256, "n_mels": 80}
    sizes = {
        ours: lookup(theirs, f"{section}.{key}", defaults.get(key)) for key, ours in TABLE["repeated"][section].items()
    }
    return {**sizes, "sample_rate": _hertz(sizes["sample_rate"]), "win_size": sizes["win_size"] or sizes["n_fft"]}


def _hertz(value: int | str) -> int:
    """22050 of 22050, "22050" and "22.05k"."""
    match = re.fullmatch(r"([0-9.]+)\s*(k?)(?:hz)?", str(value).strip().lower())
    if not match:
        raise UserError(f"the sample rate {value!r} in ESPnet's config is no number of Hz")
    return round(float(match[1]) * (1000 if match[2] else 1))


def to_espnet(config: Tree) -> Tree:
    """ESPnet's training config of one of ours (as a plain tree), without tokens and statistics.

    Raises UserError when ESPnet has one option where our values differ.
    """
    generator = lookup(config, "model.generator")
    if not generator.startswith("hifigan"):
        raise UserError(f"model.generator is {generator!r}, but ESPnet's JETS speaks by HiFi-GAN")
    if lookup(config, "model.discriminator.resolutions"):
        raise UserError("model.discriminator.resolutions is not empty, but ESPnet's JETS has no such discriminators")
    for key, value in (("model.prior_omega", 1.0), ("model.upsampling_delta", 0.1)):
        if lookup(config, key) != value:
            raise UserError(f"{key} is {lookup(config, key)}, but ESPnet's JETS has {value} built in")
    several = {key: number for key, least in LEAST.items() if (number := config["model"][key] or 0) >= least}
    for key, wanted in ONLY_ESPNETS.items() if several else ():
        if config["model"][key] != wanted:
            value = config["model"][key]
            raise UserError(f"model.{key} is {value}, but ESPnet's JETS of several speakers has {wanted}")
    chosen = lookup(config, f"model.generators.{generator}")
    who = {key: several.get(key) for key in LEAST}
    config = {**config, "model": {**config["model"], **who, "generators": {"hifigan": chosen}}}
    theirs: Tree = {}
    for key, value in [*((key, fits[0]) for key, _, fits in FIXED), *TABLE["written"].items()]:
        put(theirs, key, value)
    for key, source in _rows("repeated"):
        put(theirs, key, config["preprocess"][source])
    shared = [(key, ours) for key, _, ours in SHARED] + [(key, [ours]) for key, ours in TABLE["open"].items()]
    for key, sources in shared:
        values = [lookup(config, source) for source in sources]
        if any(value != values[0] for value in values):
            raise UserError(f"ESPnet has one {key.rpartition('.')[2]}, but {' and '.join(sources)} differ here")
        put(theirs, key, _whole(key, values[0]))
    return {**theirs, "optim2_conf": theirs["optim_conf"], "scheduler2_conf": theirs["scheduler_conf"]}


def _whole(key: str, value: Any) -> Any:
    """A value as ESPnet takes it: limits of frequency are whole Hz there."""
    name = key.rpartition(".")[2]
    if name not in ("fmin", "fmax", "f0min", "f0max") or value is None:
        return value
    if value != round(value):
        raise UserError(f"ESPnet wants whole Hz for {name}, but it is {value} here")
    return round(value)


def network_names(name: str, kernels: int) -> list[str]:
    """ESPnet's names of the tensors that make up our network tensor `name`, in order along dimension 0.

    `kernels` is the number of residual blocks after each upsampling step.
    """
    if name in STATISTICS:
        return [STATISTICS[name]]
    if block := RESIDUAL_BLOCK.fullmatch(name):
        step, kernel, kind, layer, tensor = block.groups()
        index = int(step) * kernels + int(kernel)
        return [f"{GENERATOR}generator.blocks.{index}.{RESIDUAL_CONVS[kind]}.{layer}.1.{tensor}"]
    theirs = GENERATOR + _rename(name, NETWORK_RULES)
    if "linear_qkv" in theirs:
        return [theirs.replace("linear_qkv", f"linear_{part}") for part in "qkv"]
    return [theirs]


def discriminator_names(name: str) -> list[str]:
    """ESPnet's name of our discriminator tensor `name`, as a list of one."""
    return [DISCRIMINATOR + _rename(name, DISCRIMINATOR_RULES)]


def _rename(name: str, rules: dict[str, str]) -> str:
    for pattern, replacement in rules.items():
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    raise KeyError(f"no rule for the tensor {name}")


def to_ours(parts: list[str], theirs: Mapping[str, Tensor], shape: torch.Size) -> Tensor:
    """Our float32 tensor of `shape` from the `parts` of ESPnet's state dict.

    A layer that was saved without weight norm gets a direction and length of its own. Raises KeyError with the name of
    a part that is missing, and ValueError when the sizes don't fit.
    """
    tensor = torch.cat([_find(part, theirs) for part in parts]) if len(parts) > 1 else _find(parts[0], theirs)
    # Kernels of width one and statistics of one channel have a dimension more than ours.
    if tensor.shape not in (shape, (*shape, 1)):
        raise ValueError(f"{parts[0]} has the shape {tuple(tensor.shape)}, where the model needs {tuple(shape)}")
    # A copy: tensors that share memory can't be saved as safetensors.
    return tensor.float().reshape(shape).clone()


def _find(name: str, theirs: Mapping[str, Tensor]) -> Tensor:
    if name in theirs:
        return theirs[name]
    stem, _, kind = name.rpartition(".")
    plain = theirs.get(f"{stem}.weight")
    if plain is not None and kind == "weight_v":
        return plain
    if plain is not None and kind == "weight_g":
        return plain.float().flatten(1).norm(dim=1).view(-1, *[1] * (plain.dim() - 1))
    raise KeyError(name)


def import_network(theirs: Mapping[str, Tensor], network: JetsNetwork, log_base: float, source: str) -> State:
    """State dict for `network` from ESPnet's; its mel statistics are of logarithms to `log_base`.

    Only names and shapes of `network` count, so that it may lie on the device "meta". Raises UserError that names
    `source` when a tensor is missing, superfluous or of the wrong size.
    """
    kernels = len(network.generator.blocks[0])
    state = _import(theirs, network, lambda name: network_names(name, kernels), GENERATOR, source)
    if log_base != math.e:
        for name in ("mel_mean", "mel_std"):
            state[name] = (state[name].double() * math.log(log_base)).float()
    return state


def import_discriminator(theirs: Mapping[str, Tensor], discriminator: nn.Module, source: str) -> State:
    """State dict for our `discriminator` from ESPnet's."""
    return _import(theirs, discriminator, discriminator_names, DISCRIMINATOR, source)


def _import(
    theirs: Mapping[str, Tensor], module: nn.Module, names: Callable[[str], list[str]], prefix: str, source: str
) -> State:
    state, used = {}, set()
    for name, tensor in module.state_dict().items():
        parts = names(name)
        if name in STATISTICS and parts[0] not in theirs:  # a voice that does not normalise these
            state[name] = torch.full(tensor.shape, float(name.endswith("std")))
            continue
        try:
            state[name] = to_ours(parts, theirs, tensor.shape)
        except KeyError as error:
            raise UserError(
                f"{source} has no tensor {error.args[0]}; is it a JETS checkpoint, and of this config.yaml?"
            ) from None
        except ValueError as error:
            raise UserError(f"{source}: {error}; is this the config.yaml it was trained with?") from None
        used.update(parts)
        used.update(part.rpartition(".")[0] + ".weight" for part in parts)
    for name in theirs:
        if name.startswith(prefix) and name not in used:
            raise UserError(f"{source} has the tensor {name}, for which this toolkit's JETS has no place")
    return state


def export_state(network: Mapping[str, Tensor], discriminator: Mapping[str, Tensor], kernels: int) -> State:
    """ESPnet's state dict of ours; `kernels` is the number of residual blocks after each upsampling step."""
    theirs: State = {}
    named = [(tensor, network_names(name, kernels)) for name, tensor in network.items()]
    named += [(tensor, discriminator_names(name)) for name, tensor in discriminator.items()]
    for tensor, parts in named:
        tensor = torch.atleast_1d(tensor.detach().cpu())
        if parts[0].startswith(f"{DISCRIMINATOR}mpd.") and tensor.dim() == 3:
            tensor = tensor.unsqueeze(-1)
        pieces = tensor.chunk(len(parts)) if len(parts) > 1 else (tensor,)
        theirs.update({part: piece.contiguous().clone() for part, piece in zip(parts, pieces)})
    return theirs
