"""Time of a full training step (both networks, both optimisers, real data path) in each switch position.

    python tests/benchmarks/train_step.py                        # synthetic corpus with LJSpeech's lengths
    python tests/benchmarks/train_step.py --config my.json       # the corpora of a config, after stage 1
    python tests/benchmarks/train_step.py --variants eager-fp32 graphs-bf16 --segments 32 64 --batches 16 64
    python tests/benchmarks/train_step.py --set model.spks=4 --set model.langs=3  # several speakers and languages
    python tests/benchmarks/train_step.py --espnet               # ESPnet's JETS beside ours, if it is installed

Medians over steps, one variant after the other, each in a process of its own, so that memory is the variant's alone and
one that fails does not take the others with it.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.base.optimization import NetworkOptimizer  # noqa: E402
from models.base.sampler import LengthSampler  # noqa: E402
from models.registry import load_config  # noqa: E402
from models.tts.jets.config import JetsConfig  # noqa: E402
from models.tts.jets.dataset import BatchAssembler, JetsBatches, UtteranceTable, open_corpora  # noqa: E402
from models.tts.jets.fast_step import FastStep  # noqa: E402
from models.tts.jets.network import JetsNetwork  # noqa: E402
from models.tts.jets.step import TrainStep  # noqa: E402
from models.vocoders.discriminators import Discriminators  # noqa: E402
from processors.cast import Cast  # noqa: E402

# "plain": the textbook step; "eager": the fast one, kernel by kernel; "graphs": the fast one as it trains.
VARIANTS: dict[str, list[str]] = {
    f"{kind}-{precision}": [f"train.precision={precision}", f"train.cuda_graphs={str(kind == 'graphs').lower()}"]
    for kind in ("plain", "eager", "graphs")
    for precision in ("fp32", "bf16")
}
STATISTICS = {"log_f0_mean": 5.3, "log_f0_std": 0.2, "energy_mean": 30.0, "energy_std": 25.0}


@dataclass
class SyntheticCorpus:
    """Noise with the lengths of LJSpeech: 6.6 s and 105 tokens on average, up to 10.1 s."""

    hop_size: int
    cast: Cast
    size: int = 2000

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        frames = np.clip(random.normal(572, 190, self.size), 100, 872).astype(int)
        counts = np.maximum(4, (frames * random.normal(0.185, 0.015, self.size))).astype(int)
        self.tokens = [f"t{i}" for i in range(80)]
        self.frames = frames
        self.starts = np.concatenate([[0], np.cumsum(frames)])
        total = int(self.starts[-1])
        self.audio = (random.standard_normal(total * self.hop_size, dtype=np.float32) * 2000).astype(np.int16)
        self.log_f0 = random.normal(5.3, 0.2, total).astype(np.float32)
        self.phones = (random.integers(1, 80, counts.sum()).astype(np.int16), np.concatenate([[0], np.cumsum(counts)]))

    def rows(self, split: str) -> np.ndarray:
        """All utterances, whatever the split."""
        return np.arange(self.size)

    def strings(self, name: str, rows: np.ndarray) -> list[str]:
        """Names of some rows."""
        return [f"u{row}" for row in rows]

    def codes(self, column: str) -> tuple[np.ndarray, list[str]]:
        """Speakers or languages, in turns."""
        known = list(getattr(self.cast, f"{column}s"))
        return np.arange(self.size) % max(len(known), 1), known

    def arrays(self, row: int) -> tuple[np.ndarray, np.ndarray, None]:
        """Samples and log F0 of a row."""
        first, last = self.starts[row], self.starts[row + 1]
        return self.audio[first * self.hop_size : last * self.hop_size], self.log_f0[first:last], None


def build(config: JetsConfig, table: UtteranceTable, device: torch.device, plain: bool) -> tuple:
    """Networks, step, optimisers and batches of one variant."""
    torch.manual_seed(0)
    network = JetsNetwork(config.model, len(table.corpora[0].tokens), config.preprocess.n_mel, STATISTICS).to(device)
    judge = Discriminators(**config.model.discriminator.model_dump()).to(device)
    optimisers = [NetworkOptimizer(module, config.train) for module in (network, judge)]
    kind = TrainStep if plain or device.type != "cuda" else FastStep
    step = kind(network, judge, config, config.train.precision)
    sampler = LengthSampler(table.frames, table.tokens, table.ids, config.train.batch_size)
    assembler = BatchAssembler(config.preprocess, STATISTICS, device)
    return step, optimisers, JetsBatches(table, sampler, assembler, on_device=True), sampler


def measure(
    config: JetsConfig, table: UtteranceTable, device: torch.device, steps: int, trace: Path | None, plain: bool
) -> dict:
    """Median times and peak memory of one variant."""
    on_gpu = device.type == "cuda"
    synchronise = torch.cuda.synchronize if on_gpu else (lambda: None)
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    step, optimisers, batches, sampler = build(config, table, device, plain)
    no_inf = torch.zeros((), device=device)

    def train_once() -> None:
        for optimiser in optimisers:
            optimiser.zero_grad()
        step(batches.next())
        for optimiser in optimisers:
            optimiser.step(no_inf, optimiser.norm())

    # The largest batch comes first, as in training: graphs share the memory that it needs.
    step(batches.largest())
    train_once()
    synchronise()
    first = time.perf_counter() - started
    # With graphs, each shape that the measured steps will meet is captured now.
    coming = sampler.current_pass[sampler.position : sampler.position + 3 * steps + 40] if on_gpu else []
    shapes = {(plan.frames, plan.tokens): plan for plan in coming}
    for plan in shapes.values():
        step(batches.at(plan))
    synchronise()
    captures = time.perf_counter() - started - first
    times, hosts = [], []
    for _ in range(steps):
        start = time.perf_counter()
        train_once()
        hosts.append(time.perf_counter() - start)
        synchronise()
        times.append(time.perf_counter() - start)
    # Without a synchronisation per step the host runs ahead, as in training.
    start = time.perf_counter()
    for _ in range(steps):
        train_once()
    synchronise()
    running = (time.perf_counter() - start) / steps
    batch_times = []
    for _ in range(10):
        start = time.perf_counter()
        batches.next()
        synchronise()
        batch_times.append(time.perf_counter() - start)
    seconds = float(np.mean(table.frames)) * config.preprocess.hop_size / config.preprocess.sample_rate
    result = {
        "first_step_s": first,
        "capture_s": captures / max(len(shapes), 1),
        "step_ms": 1e3 * running,
        "synchronised_ms": 1e3 * statistics.median(times),
        "host_ms": 1e3 * statistics.median(hosts),
        "batch_ms": 1e3 * statistics.median(batch_times),
        "speech_s_per_s": config.train.batch_size * seconds / running,
        "padding": sampler.padding_waste,
    }
    if on_gpu:
        result["allocated_gib"] = torch.cuda.max_memory_allocated() / 2**30
        result["reserved_gib"] = torch.cuda.max_memory_reserved() / 2**30
    if trace is not None:
        result.update(profile(train_once, trace, on_gpu))
    return result


def profile(train_once, trace: Path, on_gpu: bool) -> dict:  # noqa: ANN001
    """Kernels and busy time per step, and a table of the costliest kernels in `trace`."""
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_gpu
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(3):
            train_once()
        if on_gpu:
            torch.cuda.synchronize()
    sort = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.write_text(profiler.key_averages().table(sort_by=sort, row_limit=70, max_name_column_width=90))
    kernels = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return {"kernels": len(kernels) / 3, "busy_ms": sum(e.device_time for e in kernels) / 3e3}


def measure_espnet(segment: int, batch_size: int, table: UtteranceTable, device: torch.device, steps: int) -> dict:
    """ESPnet's JETS as its trainer runs it, on the same batches; needs the `espnet` package."""
    from espnet2.gan_tts.jets import JETS

    synchronise = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    sizes = [f"train.segment_size={segment}", f"train.batch_size={batch_size}"]
    config = load_config(ROOT / "config/jets.json", sizes)
    torch.manual_seed(0)
    model = JETS(
        idim=len(table.corpora[0].tokens), odim=config.preprocess.n_mel,
        generator_params=ESPNET_GENERATOR | {"segment_size": segment},
        discriminator_params=ESPNET_DISCRIMINATOR, mel_loss_params={"fs": 22050, "n_fft": 1024, "hop_length": 256,
        "win_length": None, "window": "hann", "n_mels": 80, "fmin": 0, "fmax": None, "log_base": None},
        lambda_align=2.0, cache_generator_outputs=True,
    ).to(device).train()  # fmt: skip
    optimisers = [torch.optim.AdamW(m.parameters(), 2e-4, (0.8, 0.99)) for m in (model.generator, model.discriminator)]
    sampler = LengthSampler(table.frames, table.tokens, table.ids, batch_size)
    batches = JetsBatches(table, sampler, BatchAssembler(config.preprocess, STATISTICS, device), device, True)
    times = []
    for _ in range(steps + 5):
        batch = batches.next()
        frames, letters = max(batch.host_frame_lengths), max(batch.host_text_lengths)
        lengths = batch.frame_lengths
        arguments = {
            "text": batch.text[:, :letters], "text_lengths": batch.text_lengths, "feats": batch.mel[:, :frames],
            "feats_lengths": lengths, "speech": batch.audio, "speech_lengths": lengths * config.preprocess.hop_size,
            "pitch": batch.log_f0[:, :frames, None], "pitch_lengths": lengths,
            "energy": batch.energy[:, :frames, None], "energy_lengths": lengths,
        }  # fmt: skip
        synchronise()
        start = time.perf_counter()
        for turn in (0, 1):
            loss = model(forward_generator=turn == 0, **arguments)["loss"]
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            optimisers[turn].step()
        synchronise()
        times.append(time.perf_counter() - start)
    return {"synchronised_ms": 1e3 * statistics.median(times[5:])}


ESPNET_GENERATOR = {
    "adim": 256, "aheads": 2, "elayers": 4, "eunits": 1024, "dlayers": 4, "dunits": 1024,
    "positionwise_layer_type": "conv1d", "positionwise_conv_kernel_size": 3, "duration_predictor_layers": 2,
    "duration_predictor_chans": 256, "duration_predictor_kernel_size": 3, "encoder_normalize_before": True,
    "decoder_normalize_before": True, "transformer_enc_dropout_rate": 0.2, "transformer_dec_dropout_rate": 0.2,
    "pitch_predictor_layers": 5, "pitch_predictor_chans": 256, "pitch_predictor_kernel_size": 5,
    "pitch_predictor_dropout": 0.5, "pitch_embed_kernel_size": 1, "pitch_embed_dropout": 0.0,
    "stop_gradient_from_pitch_predictor": True, "energy_predictor_layers": 2, "energy_predictor_chans": 256,
    "energy_predictor_kernel_size": 3, "energy_embed_kernel_size": 1, "energy_embed_dropout": 0.0,
    "generator_channels": 512, "generator_upsample_scales": [8, 8, 2, 2],
    "generator_upsample_kernel_sizes": [16, 16, 4, 4],
}  # fmt: skip
ESPNET_DISCRIMINATOR = {
    "scales": 1, "follow_official_norm": False, "periods": [2, 3, 5, 7, 11],
    "scale_discriminator_params": {
        "in_channels": 1, "out_channels": 1, "kernel_sizes": [15, 41, 5, 3], "channels": 128,
        "max_downsample_channels": 1024, "max_groups": 16, "bias": True, "downsample_scales": [2, 2, 4, 4, 1],
        "nonlinear_activation": "LeakyReLU", "nonlinear_activation_params": {"negative_slope": 0.1},
        "use_weight_norm": True, "use_spectral_norm": False,
    },
}  # fmt: skip


def main() -> None:
    """Print one line per measurement, then all of them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="measure on this config's processed corpora")
    variants = ["plain-fp32", "plain-bf16", "eager-bf16", "graphs-bf16"]
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=variants)
    parser.add_argument("--segments", nargs="+", type=int, default=[64])
    parser.add_argument("--batches", nargs="+", type=int, default=[16])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--traces", type=Path, help="write a profile of each variant into this folder")
    parser.add_argument("--espnet", action="store_true")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(torch.cuda.get_device_name() if device.type == "cuda" else "CPU", "torch", torch.__version__, flush=True)
    base = arguments.config or ROOT / "config/jets.json"
    config = load_config(base, arguments.overrides)
    languages = tuple(f"language{i}" for i in range(config.model.langs or 0))
    cast = Cast({f"speaker{i}": "" for i in range(config.model.spks or 0)}, languages)
    corpora = open_corpora(config) if arguments.config else [SyntheticCorpus(config.preprocess.hop_size, cast)]
    table = UtteranceTable(corpora, "train", cast)
    frames, tokens = np.mean(table.frames), np.mean(table.tokens)
    print(f"{len(table)} utterances, {frames:.0f} frames and {tokens:.0f} tokens on average")
    results = {}
    alone = len(arguments.variants) * len(arguments.segments) * len(arguments.batches) == 1 and not arguments.espnet
    for batch_size in arguments.batches:
        for segment in arguments.segments:
            sizes = [f"train.segment_size={segment}", f"train.batch_size={batch_size}"]
            for variant in arguments.variants:
                name = f"{variant}/b{batch_size}/s{segment}"
                if not alone:
                    results[name] = measure_apart(arguments, variant, segment, batch_size)
                    continue
                trace = arguments.traces / f"{name.replace('/', '_')}.txt" if arguments.traces else None
                try:
                    varied = load_config(base, [*arguments.overrides, *VARIANTS[variant], *sizes])
                    results[name] = measure(varied, table, device, arguments.steps, trace, variant.startswith("plain"))
                except torch.OutOfMemoryError:
                    results[name] = {"error": "out of memory"}
                show(name, results[name])
            if arguments.espnet:
                name = f"espnet-fp32/b{batch_size}/s{segment}"
                results[name] = measure_espnet(segment, batch_size, table, device, arguments.steps)
                show(name, results[name])
    print(json.dumps(results))


def show(name: str, result: dict) -> None:
    """One line for a measurement."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}
    print(f"{name:32s}", rounded, flush=True)


def measure_apart(arguments: argparse.Namespace, variant: str, segment: int, batch_size: int) -> dict:
    """`measure` in a process of its own, whose line appears here."""
    command = [sys.executable, __file__, "--variants", variant, "--segments", str(segment)]
    command += ["--batches", str(batch_size), "--steps", str(arguments.steps)]
    command += [f"--set={override}" for override in arguments.overrides]
    for flag, value in (("--config", arguments.config), ("--traces", arguments.traces)):
        command += [flag, str(value)] if value else []
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = ended.stdout.splitlines()
    if ended.returncode:
        show(f"{variant}/b{batch_size}/s{segment}", {"error": f"exit status {ended.returncode}"})
        return {"error": f"exit status {ended.returncode}"}
    print(lines[-2], flush=True)
    return json.loads(lines[-1])[f"{variant}/b{batch_size}/s{segment}"]


if __name__ == "__main__":
    main()
