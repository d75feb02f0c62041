"""ESPnet's state dict as our networks' state dicts, and back, bit for bit.

ESPnet keeps queries, keys and values in three matrices where we have one, and the period discriminators' weights as
two-dimensional kernels of width one; everything else differs by name only, as espnet_options.json says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.tts.exchange.espnet_options import TABLE
from models.tts.jets.network import JetsNetwork
from utils.errors import UserError

State = dict[str, Tensor]
GENERATOR, DISCRIMINATOR = "tts.generator.", "tts.discriminator."

# Our name -> ESPnet's below those prefixes, by regular expression.
NETWORK_RULES, DISCRIMINATOR_RULES = TABLE["network"], TABLE["discriminator"]
# ESPnet numbers the residual blocks of all upsampling steps in one list.
RESIDUAL_BLOCK = re.compile(r"generator\.blocks\.(\d+)\.(\d+)\.(dilated|plain)\.(\d+)\.(\w+)")
RESIDUAL_CONVS = {"dilated": "convs1", "plain": "convs2"}
_NORMALISERS = {"log_f0": "pitch_normalize", "energy": "energy_normalize", "mel": "normalize"}
STATISTICS = {f"{ours}_{kind}": f"{theirs}.{kind}" for ours, theirs in _NORMALISERS.items() for kind in ("mean", "std")}


def network_names(name: str, kernels: int) -> list[str]:
    """ESPnet's names of the tensors that make up our network tensor `name`, in order along dimension 0.

    `kernels` is the number of residual blocks after each upsampling step.
    """
    block = RESIDUAL_BLOCK.fullmatch(name)
    if block:
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


def to_theirs(ours: Tensor, parts: list[str]) -> State:
    """ESPnet's `parts` of our tensor, with the width of a period discriminator's kernel restored."""
    two_dimensional = parts[0].startswith(f"{DISCRIMINATOR}mpd.") and ours.dim() == 3
    ours = ours.detach().cpu()
    pieces = ours.chunk(len(parts)) if len(parts) > 1 else (ours,)
    return {part: (p.unsqueeze(-1) if two_dimensional else p).contiguous().clone() for part, p in zip(parts, pieces)}


def import_network(theirs: Mapping[str, Tensor], network: JetsNetwork, log_base: float, source: str) -> State:
    """State dict for `network` from ESPnet's; its mel statistics are of logarithms to `log_base`.

    Only names and shapes of `network` count, so that it may lie on the device "meta". Raises UserError that names
    `source` when a tensor is missing, superfluous or of the wrong size.
    """
    kernels = len(network.generator.blocks[0])
    state = _import(theirs, network, lambda name: network_names(name, kernels), GENERATOR, source)
    for name, tensor in network.state_dict().items():
        value = theirs.get(STATISTICS[name]) if name in STATISTICS else None
        if value is not None:
            if value.numel() != tensor.numel():
                sizes = f"has {value.numel()} values, where the model needs {tensor.numel()}"
                raise UserError(f"{source}: {STATISTICS[name]} {sizes}")
            state[name] = value.float().reshape(tensor.shape).clone()
            if name.startswith("mel_") and log_base != math.e:
                state[name] = (state[name].double() * math.log(log_base)).float()
        elif name in STATISTICS:
            state[name] = torch.full(tensor.shape, 1.0 if name.endswith("std") else 0.0)
    return state


def import_discriminator(theirs: Mapping[str, Tensor], discriminator: nn.Module, source: str) -> State:
    """State dict for our `discriminator` from ESPnet's."""
    return _import(theirs, discriminator, discriminator_names, DISCRIMINATOR, source)


def _import(
    theirs: Mapping[str, Tensor], module: nn.Module, names: Callable[[str], list[str]], prefix: str, source: str
) -> State:
    state, used = {}, set()
    for name, tensor in module.state_dict().items():
        if name in STATISTICS:
            continue
        parts = names(name)
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
    for name, tensor in network.items():
        if name in STATISTICS:
            theirs[STATISTICS[name]] = tensor.detach().cpu().reshape(-1).clone()
        else:
            theirs.update(to_theirs(tensor, network_names(name, kernels)))
    for name, tensor in discriminator.items():
        theirs.update(to_theirs(tensor, discriminator_names(name)))
    return theirs
