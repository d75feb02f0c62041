"""What opening a large corpus costs each training process: `python tests/benchmarks/corpus_opening.py [MILLIONS]`.

Makes a corpus of the format of stage 1 that is as large (default: 5.5 million utterances, 10,000 hours) but for its
audio, which are holes of a few files under many names, and lets a fresh process do with it whatever training does
before its first step. Prints seconds of each part and the memory that the process holds for itself, beyond what its
imports took. --folder keeps the corpus for another run; --corpora 2 splits it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.registry import load_config
from processors.corpus import SHARDS, fingerprint, write_meta
from processors.store import MANIFEST, SHARD, checksum, write_batch

GROUP, KINDS, TOKENS, LANGUAGES = 64, 32, 90, ("de", "en-us", "fr")
SPEAKERS = 2000
STEP = 0.034  # seconds, of an H200


def main() -> None:
    """Make the corpora, and measure a process that opens them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", type=float, nargs="?", default=5.5, metavar="MILLIONS")
    parser.add_argument("--folder", type=Path, default=None, help="where the corpora stay (default: nowhere)")
    parser.add_argument("--corpora", type=int, default=1)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.open is not None:
        opened(arguments.open, arguments.overrides)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        names = [f"corpus{number}" for number in range(arguments.corpora)]
        config = folder / "config.json"
        if not config.exists():
            folder.mkdir(parents=True, exist_ok=True)
            settings = {"processed_dir": str(folder)}
            paths = {name: str(folder / f"{name}-recordings") for name in names}
            content = {"base_config": "config/jets.json", "dataset": names, "dataset_path": paths}
            config.write_text(json.dumps({**content, "preprocess": settings}))
            for number, name in enumerate(names):
                make(folder / name, round(arguments.millions * 1e6 / len(names)), config, number)
        rest = [f"--set={text}" for text in arguments.overrides]
        subprocess.run([sys.executable, __file__, "--open", config, *rest], check=True)


def make(directory: Path, count: int, config: Path, seed: int) -> None:
    """A corpus of `count` utterances; what its texts, phones and lengths are is random."""
    rng = np.random.default_rng(seed)
    preprocess = load_config(config, []).preprocess
    (directory / SHARDS).mkdir(parents=True)
    lengths = np.clip(rng.gamma(6.0, 94.0, (KINDS, GROUP)), 40, 1700).astype(np.int32)
    number = np.arange(count)
    shard_of, place = number // GROUP, number % GROUP
    kind = shard_of % KINDS
    names, sums = write_shards(directory / SHARDS, int(shard_of[-1]) + 1, lengths, preprocess.hop_size)
    frames = lengths[kind, place]
    first = np.cumsum(lengths, 1, np.int32) - lengths
    offsets = np.concatenate([[0], np.cumsum(frames // 6, dtype=np.int64)])
    phones = pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(rng.integers(1, TOKENS, int(offsets[-1]), np.int16))
    )
    texts = pa.array([f"text {text} " + 90 * "x" for text in range(20_000)])
    text = texts.take(pa.array(rng.integers(0, len(texts), count)))
    split = np.where(number % 9973 == 0, 1, np.where(number % 9973 == 1, 2, 0)).astype(np.int32)
    speaker = (number * SPEAKERS // count).astype(np.int32)
    named = {
        "speaker": (speaker, [f"speaker {one:05d}" for one in range(SPEAKERS)]),
        "language": (speaker % len(LANGUAGES), list(LANGUAGES)),
        "split": (split, ["train", "valid", "test"]),
        "shard": (shard_of.astype(np.int32), names),
    }
    columns: dict[str, pa.Array] = {
        "id": pc.binary_join_element_wise(f"corpus-{seed}", pc.cast(pa.array(number), pa.string()), "-"),
        "text": text,
        "normalised": text,
        "phones": phones,
        "first_frame": pa.array(first[kind, place]),
        "frames": pa.array(frames),
        "checksum": pa.array(sums[kind, place]),
    }
    columns |= {key: pa.DictionaryArray.from_arrays(*map(pa.array, values)) for key, values in named.items()}
    for field in MANIFEST:
        if field.name not in columns:
            values = pa.array(frames * 5.0 if field.name == "log_f0_sum" else frames * 25.1)
            columns[field.name] = pa.nulls(count, field.type) if field.type != pa.float64() else values
    batch = pa.RecordBatch.from_arrays([columns[field.name] for field in MANIFEST], schema=MANIFEST)
    statistics = {"log_f0_mean": 5.0, "log_f0_std": 0.2, "energy_mean": 10.0, "energy_std": 8.0}
    meta = {
        "fingerprint": fingerprint(preprocess),
        "source": "simulated",
        "sample_rate": preprocess.sample_rate,
        "hop_size": preprocess.hop_size,
        "manifest": write_batch(directory, "utterances", batch).name,
        "tokens": [f"token{token}" for token in range(TOKENS)],
        "statistics": statistics,
        "token_counts": [count] * TOKENS,
    }
    write_meta(directory, meta)


def write_shards(folder: Path, count: int, lengths: np.ndarray, hop: int) -> tuple[list[str], np.ndarray]:
    """Names of shards of silence, a few files with holes where the audio is, under many names; checksums."""
    names, sums = [""] * count, np.zeros(lengths.shape, np.uint64)
    for kind, frames in enumerate(lengths):
        silence = (np.zeros(hop, np.int16), np.full(1, 5, np.float32), np.ones(1, np.uint8))
        sums[kind] = [checksum(*(np.tile(array, size) for array in silence)) for size in frames]
        total, offsets = int(frames.sum()), pa.array(np.concatenate([[0], np.cumsum(frames)]).astype(np.int32))
        samples = pa.array(np.concatenate([[0], np.cumsum(frames * hop)]).astype(np.int32))
        empty = {field.name: pa.array([None] * GROUP, field.type) for field in SHARD}
        empty["frames"] = pa.array(frames)
        empty["audio"] = pa.ListArray.from_arrays(samples, pa.array(np.zeros(total * hop, np.int16)))
        empty["log_f0"] = pa.ListArray.from_arrays(offsets, pa.array(np.full(total, 5, np.float32)))
        empty["voiced"] = pa.ListArray.from_arrays(offsets, pa.array(np.ones(total, np.uint8)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, SHARD) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([empty[field.name] for field in SHARD], schema=SHARD))
        content = np.frombuffer(sink.getvalue(), np.uint8)
        mine = [f"{shard:032x}-{xxhash.xxh3_64_hexdigest(content)}.arrow" for shard in range(kind, count, KINDS)]
        names[kind::KINDS] = mine
        for start in range(0, len(mine), 10_000):  # file systems limit the names of a file
            original = folder / mine[start]
            with open(original, "wb") as file:
                file.truncate(len(content))
                for block in range(0, len(content), 4096):
                    part = content[block : block + 4096]
                    if part.any():
                        file.seek(block)
                        file.write(part.tobytes())
            for name in mine[start + 1 : start + 10_000]:
                os.link(original, folder / name)
    return names, sums


def opened(path: Path, overrides: list[str]) -> None:
    """What JetsTrainer.build does with the corpora, and its cost."""
    import torch

    from models.base.sampler import LengthSampler
    from models.tts.jets.dataset import BatchAssembler, JetsBatches, StoredUtterances, UtteranceTable, open_corpora
    from models.tts.jets.trainer import speaker_rows
    from processors.cast import Cast
    from processors.corpus_statistics import merged_statistics

    config = load_config(path, overrides)
    train, cpu, parts = config.train, torch.device("cpu"), {}
    BatchAssembler(config.preprocess, {}, cpu)

    before, begin = own_memory(), clocks()

    def told(name: str) -> None:
        nonlocal begin
        parts[name] = clocks() - begin
        begin = clocks()

    corpora = open_corpora(config)
    told("open and check")
    statistics = merged_statistics(corpora)
    cast = Cast.of(corpora, config.preprocess.language, None)
    told("speakers")
    speaker_rows(corpora, cast, len(cast.speakers), statistics)
    told("speakers' statistics")
    table = UtteranceTable(corpora, "train", cast)
    told("table")
    often = table.appearances(config)
    told("balance")
    sampler = LengthSampler(
        table.frames, table.tokens, table.ids, train.batch_size, train.max_batch_frames, train.random_seed, 0, 1, often
    )
    assembler = BatchAssembler(config.preprocess, statistics, cpu)
    batches = JetsBatches(table, sampler, assembler, on_device=False)
    told("batches of a pass")
    sampler.largest()
    held_out = UtteranceTable(corpora, "valid", cast)
    held_out.in_order(10_000)
    told("largest batch, validation")
    table.token_counts()
    told("counts of tokens")
    own = peak_memory() - before
    parts["together"] = sum(parts.values(), np.zeros(2))
    print(f"{sum(map(len, corpora)):,} utterances, {table.frames.sum() * 256 / 22050 / 3600:,.0f} hours")
    begin = clocks()
    for _ in range(100):
        StoredUtterances.read(table, sampler.next().indices, cpu)
    parts[f"100 batches of {train.batch_size} read"] = clocks() - begin
    # As a GPU would take them: a batch every STEP seconds.
    assembler.whole = lambda *_: time.sleep(STEP)  # type: ignore[method-assign,assignment]
    begin, waited = clocks(), [batches.wait_seconds() for _ in range(101) if batches.next() or True]
    share = (waited[-1] - waited[0]) / (clocks() - begin)[0]
    for name, (wall, cpu) in parts.items():
        print(f"  {name:<28}{wall:>8.2f} s ({cpu:.2f} s of CPU)")
    print(f"  {own / 2**20:,.0f} MiB of the process' own at most, before the first batch")
    print(f"  {100 * share:.2f} % of 100 steps of {1000 * STEP:.0f} ms spent waiting for data")
    batches.close()


def clocks() -> np.ndarray:
    """Seconds by the clock, and of this process' CPU time."""
    return np.array([time.perf_counter(), time.process_time()])


def own_memory() -> int:
    """Bytes that this process alone holds (mapped files aside)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


class _Peak:
    """Samples `own_memory` in the background."""

    def __init__(self) -> None:
        import threading

        self.value = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.value = max(self.value, own_memory())
            time.sleep(0.005)


_peak = _Peak()


def peak_memory() -> int:
    """Most that `own_memory` has been."""
    return max(_peak.value, own_memory())


if __name__ == "__main__":
    main()
