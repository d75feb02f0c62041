"""How fast a voice speaks: real-time factor, first audio, peak memory, for each generator; medians.

    python tests/benchmarks/synthesis_speed.py [--expt_dir DIR] [--device cpu] [--threads 1 2] [--repeats 5]

Without --expt_dir the networks have the published sizes and random weights, with durations as long as read English
has them: speed does not depend on what the weights say. Each row runs in a process of its own, whose peak memory is
measured. On a GPU it also speaks 32 sentences at once, the same one ("batch") and others of 4 to 24 words ("mixed"),
with CUDA graphs and our own ("fused") kernels and without ("cudnn" stands for the library's), and says what a batch's
time is spent on: the plan (all in front of the waveform), the generator, the copy to the host, and the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from models.tts.jets.synthesizer import Synthesizer

GENERATORS = ("hifigan", "hifigan_light", "istft")
SENTENCE = "The quick brown fox jumps over the lazy dog near the river."  # 12 words
PARAGRAPH = (
    "The harbour was quiet that morning, and only a few boats had left before sunrise. An old man sat on the wall and "
    "mended a net, as he had done for forty years. When the bell rang seven, he looked up, counted the gulls on the "
    "roof of the customs house, and smiled. It would be a fine day, he thought; the wind had turned to the south."
)
FRAMES_PER_TOKEN = 7.0
# On a GPU: kernels of our own instead of the library's, CUDA graphs.
VARIANTS = {
    "fused graphs": (True, True),
    "fused": (True, False),
    "cudnn graphs": (False, True),
    "cudnn": (False, False),
}


def random_voice(generator: str, device: str) -> Synthesizer:
    """A voice of the default size with random weights."""
    import math

    import torch

    from models.registry import load_config
    from models.tts.jets.network import JetsNetwork
    from models.tts.jets.synthesizer import Synthesizer
    from processors.text.frontend import TextFrontEnd

    config = load_config(ROOT / "config/jets.json", [f"model.generator={generator}"])
    frontend = TextFrontEnd.from_config(config.preprocess)
    torch.manual_seed(0)
    network = JetsNetwork(config.model, len(frontend.tokens), config.preprocess.n_mel)
    with torch.no_grad():
        network.duration_predictor.out.weight.zero_()
        network.duration_predictor.out.bias.fill_(math.log(FRAMES_PER_TOKEN + 1))
    return Synthesizer(network, frontend, frontend.tokens, config, torch.device(device))


def median_seconds(work: Callable[[], object], repeats: int, synchronise: Callable[[], None]) -> float:
    """Median wall time of `work` after two runs that do not count."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        work()
        synchronise()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def split(
    voice: Synthesizer, ids: list[list[int]], median: Callable[[Callable[[], object]], float]
) -> dict[str, float]:
    """Milliseconds that the parts of speaking `ids` at once take, each waited for."""
    import torch

    from models.tts.pieces import on_host
    from processors.script import Line
    from processors.text.prosody import NEUTRAL

    settings = voice.config.inference
    lines = [Line("", tuple(row), (NEUTRAL,) * len(row), 0.0) for row in ids]
    with torch.inference_mode():
        planned = voice.plan(lines, settings)
        waveform = voice.generate(planned.decoder_states, planned.host_frame_lengths)
        times = {
            "plan": median(lambda: voice.plan(lines, settings)),
            "generator": median(lambda: voice.generate(planned.decoder_states, planned.host_frame_lengths)),
            "copy": median(lambda: on_host(waveform)),
        }
    times["rest"] = median(lambda: voice.synthesize_ids(ids)) - sum(times.values())
    return {f"batch {name} ms": round(1000 * value, 2) for name, value in times.items()}


def measure(generator: str, arguments: argparse.Namespace) -> dict[str, float | str]:
    """One row: everything about one generator on one device."""
    import torch

    from models.tts.jets import gpu_inference
    from models.tts.jets.synthesizer import Synthesizer

    fused, graphs = VARIANTS[arguments.variant]
    if not fused:
        gpu_inference.fused_generator = lambda *_: None
    if arguments.expt_dir:
        voice = Synthesizer.from_experiment(arguments.expt_dir, arguments.device)
    else:
        voice = random_voice(generator, arguments.device)
    if not graphs and isinstance(voice.speaking, gpu_inference.GpuNetwork):
        voice.speaking.graphs = voice.speaking.generator.graphs = None
    synchronise = torch.cuda.synchronize if arguments.device.startswith("cuda") else lambda: None
    sentence = len(voice.tts(SENTENCE)[0]) / voice.sample_rate
    paragraph = len(voice.tts(PARAGRAPH)[0]) / voice.sample_rate
    sentence_time = median_seconds(lambda: voice.tts(SENTENCE), arguments.repeats, synchronise)
    paragraph_time = median_seconds(lambda: voice.tts(PARAGRAPH), arguments.repeats, synchronise)
    first = median_seconds(lambda: next(voice.stream(SENTENCE)), arguments.repeats, synchronise)
    row: dict[str, float | str] = {
        "generator": generator,
        "threads": torch.get_num_threads(),
        "sentence s": round(sentence, 2),
        "sentence ms": round(1000 * sentence_time, 1),
        "sentence RTF": round(sentence_time / sentence, 4),
        "paragraph RTF": round(paragraph_time / paragraph, 4),
        "first audio ms": round(1000 * first, 1),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if arguments.device.startswith("cuda"):
        median = partial(median_seconds, repeats=arguments.repeats, synchronise=synchronise)
        words = PARAGRAPH.split()
        same = [voice.script.frontend.encode(SENTENCE)] * 32
        mixed = [voice.script.frontend.encode(" ".join(words[i : i + 4 + 7 * i % 21])) for i in range(32)]
        row |= {
            "device": torch.cuda.get_device_name(),
            "variant": arguments.variant,
            "ids to wave ms": round(1000 * median(lambda: voice.synthesize_ids(same[:1])), 2),
        }
        for name, ids in (("batch", same), ("mixed", mixed)):
            seconds = sum(map(len, voice.synthesize_ids(ids))) / voice.sample_rate
            spent = median(lambda ids=ids: voice.synthesize_ids(ids))
            row |= {f"{name} 32 ms": round(1000 * spent, 1), f"{name} 32 x real time": round(seconds / spent)}
        row |= split(voice, same, median)
    return row


def variants_of(generator: str) -> list[str]:
    """What there is to compare on a GPU: only HiFi-GAN has kernels of its own."""
    return [name for name in VARIANTS if generator != "istft" or "fused" not in name]


def main() -> None:
    """Print a table of all rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--expt_dir", help="a trained experiment instead of random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--generators", nargs="+", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", choices=GENERATORS, help=argparse.SUPPRESS)
    parser.add_argument("--variant", choices=VARIANTS, help="on a GPU; otherwise all are measured")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row, arguments)))
        return
    own = [f"--device={arguments.device}", f"--repeats={arguments.repeats}"]
    own += [f"--expt_dir={arguments.expt_dir}"] if arguments.expt_dir else []
    rows = []
    on_cpu = arguments.device == "cpu"
    for generator in arguments.generators[: 1 if arguments.expt_dir else None]:
        variants = [arguments.variant] if arguments.variant or on_cpu else variants_of(generator)
        for threads, variant in product(arguments.threads if on_cpu else arguments.threads[-1:], variants):
            command = [sys.executable, __file__, f"--row={generator}", *own]
            command += [f"--variant={variant}"] if variant else []
            environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
            done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("| " + " | ".join("---" for _ in names) + " |")
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")


if __name__ == "__main__":
    main()
