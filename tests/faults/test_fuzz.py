"""Files of users and of ours, damaged in every way: one sentence or a result comes out, and soon."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from models.base import checkpoints
from models.base.experiment import Experiment
from models.base.sampler import LengthSampler
from models.evaluation.stage import items_of, read_manifest
from models.registry import load_config, load_experiment_config
from models.tts import text_files
from models.tts.exchange.espnet_voice import export_voice, import_voice
from models.tts.jets.dataset import StoredUtterances, UtteranceTable
from models.tts.jets.synthesizer import Synthesizer
from preprocessors.download import unpack_archive
from preprocessors.readers.layouts import read_corpus
from processors.audio.recording import AudioProblem, load_recording
from processors.corpus import ProcessedCorpus
from processors.corpus_statistics import merged_statistics
from processors.store import is_whole, shard_batch, write_batch
from processors.text.frontend import TextFrontEnd
from processors.text.lexicon import read_lexicon
from processors.text.ssml import parse_ssml
from processors.text.tokens import load_tokens
from tests.faults.fuzz import any_text, changed_json, damaged, fuzzed, only_user_errors
from utils.errors import UserError
from utils.files import PROJECT_ROOT, FileLock

FIXTURE = max((Path(__file__).resolve().parents[1] / "fixtures").glob("v*"))
DEFAULTS = load_config(PROJECT_ROOT / "config/jets.json")
FRONT_END = TextFrontEnd()
VOICE = Synthesizer.from_experiment(FIXTURE / "voice", device="cpu")
SSML = (
    '<?xml version="1.0"?>\n<speak version="1.1">One <break time="500ms"/> <prosody rate="fast" pitch="+2st" '
    'volume="-6dB">two <s>three</s></prosody><p>four <sub alias="five">V</sub></p> <phoneme alphabet="ipa" '
    'ph="həˈloʊ">hello</phoneme> <say-as interpret-as="date" format="mdy">12/31/1999</say-as> &amp; &#8230;</speak>'
)
# Signs that some format gives a meaning, and values that programs forget.
PIECES = [
    "{", "}", "[", "]", ",", ":", "//", "/*", "*/", "'", '"', "\\", "\n", "\r", "null", "NaN", "-Infinity", "1e999",
    "0x10", '"base_config": "config/nothing.json",', "-1", "\ufeff", "|", "\x00", "../", "/", "a-1", "id1", "CON",
    "[" * 3000, "a" * 99, "a\u0308", "#", "AH9", "<", ">", "</", "/>", "&", ";", "<speak>", "</speak>", "<p>",
    "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE x [", '<!ENTITY a "b">', "<?pi?>", "rate=", "+1000%", "1e9Hz", "nan",
    "-inf", "9" * 40, "99999999st", "{AH}", "<break time='60s'/>", "㎯", "⩶", "\ufdfa", "<phoneme ph='ə", ": ", "- ",
    "!!python/object/apply:os.system [true]", "&a *a", "? ", "|\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good file of every kind."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(FIXTURE / "voice", folder / "voice")
    shutil.copytree(FIXTURE / "data/tiny", folder / "tiny")
    texts = {
        "exp.json": (PROJECT_ROOT / "egs/tts/Jets/exp_config.json").read_text(encoding="utf-8"),
        "override.txt": 'dataset_path={"a": "b"}',
        "corpus/metadata.csv": "a-1|Dr. Hall paid $5.|Doctor Hall paid.\na-2|Two.|\nä|Three.|\n../b|Out.|\n",
        "corpus2/metadata.list": "wavs/a-1.wav|anna|EN|One.\nwavs/a-2.flac|bert|DE|Zwei.\n/etc/passwd|bert|DE|Drei.\n",
        "corpus3/transcript.txt": "wavs/a-1.wav|1.|One.|1.5\nwavs/ä.wav|Two.|Two.|2\n",
        "corpus4/metadata.jsonl": '{"file_name": "wavs/a-1.wav", "text": "One.", "speaker": 3}\n{"file_name": "../"}\n',
        "corpus5/validated.tsv": 'client_id\tpath\tsentence\nab\ta-1.wav\t"One ""and"" a half."\ncd\t../a.wav\tOut.\n',
        "corpus6/metadata.csv": 'file_name,text,language\nwavs/a-1.wav,"One, two.",en\nwavs/a-1.wav,"Th\nree.",de\n',
        "lexicon.txt": "kyoto K IY0 OW1 T OW0\n# comment\nvtt = virtual table top\no'brien OW0 B R AY1 AH0 N\n",
        "markup.xml": SSML,
        "spoken.txt": "Say {HH AH0} twice, e.g. on 3/4. Or $5?",
        "list.txt": "id1|One.\nid2|Two, {HH AH0}.|Two.\n\nid3|Three.\n",
        "wavs.jsonl": '{"id": "a", "text": "One.", "wav": "a.wav", "reference": "b.wav"}\n' * 2,
        "lock/.lock": '{"host": "here", "pid": 1, "since": "now"}',
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "audio").mkdir()
    sound = 0.2 * np.sin(2 * np.pi * 150 * np.arange(22050) / 22050)
    for subtype in ("wav PCM_16", "wav DOUBLE", "wav IMA_ADPCM", "flac PCM_24", "ogg VORBIS", "mp3 MPEG_LAYER_III"):
        suffix, _, form = subtype.partition(" ")
        soundfile.write(folder / f"audio/{form}.{suffix}", np.tile(sound[:, None], 1), 22050, subtype=form)
    for corpus in folder.glob("corpus*"):
        wavs = corpus / ("clips" if (corpus / "validated.tsv").exists() else "wavs")
        wavs.mkdir()
        for name in ("a-1.wav", "a-2.flac", "ä.wav"):
            shutil.copy(folder / "audio/PCM_16.wav", wavs / name)
    (folder / "archives").mkdir()
    for mode in ("", "gz", "bz2", "xz"):
        with tarfile.open(folder / f"archives/a.tar.{mode}".rstrip("."), f"w:{mode}") as tar:
            tar.add(folder / "corpus", "corpus")
    with zipfile.ZipFile(folder / "archives/a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in (folder / "corpus").rglob("*"):
            zipped.write(path, path.relative_to(folder))
    row = {"id": "u1", "normalised": "a", "phones": [1, 2], "frames": 2}
    row |= {"audio": np.zeros(512, np.int16), "log_f0": np.zeros(2, np.float32), "voiced": np.zeros(2, np.uint8)}
    (folder / "pieces").mkdir()
    write_batch(folder / "pieces", "key", shard_batch([row, {"id": "u2", "kind": "silent"}], ["<pad>", "^", "$"]))
    export_voice(FIXTURE / "voice", folder / "espnet")
    convert(folder / "espnet/x")  # the first time loads much of torch; that is not the time that an input takes
    return folder


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def retention(state: Path) -> None:
    kept = checkpoints.Retention(state.parents[2], 1, 1, "measures/score")
    kept.is_better(1.0)
    kept.apply()


def use(corpus: Path) -> bool:
    """Everything that training reads of a corpus."""
    opened = ProcessedCorpus.open(corpus)
    opened.check()
    merged_statistics([opened])
    table = UtteranceTable([opened], "train")
    if len(table):
        for plan in LengthSampler(table.frames, table.tokens, table.ids, 2).plan_pass(0):
            StoredUtterances.read(table, plan.indices, torch.device("cpu"))
    return True


def unchecked(corpus: Path) -> None:
    """What is read without a look at the checksums is a sentence or a result."""
    opened = ProcessedCorpus.open(corpus)
    for row in range(len(opened)):
        opened.arrays(row)


def state_without_checksum(file: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        checkpoints.load_plain(file)


def lock(file: Path) -> None:
    with FileLock(file, "the folder is in use"):
        pass


def metadata(file: Path) -> None:
    for row in read_corpus(file.parent, "voice"):
        assert (
            row.reason.isprintable() and row.id.isprintable()
            if row.kind
            else row.audio.resolve().is_relative_to(file.parent.resolve())
        )


def listed(file: Path) -> None:
    out = file.parent / "out"
    if text_files.has_ids(file):
        for name, *_ in text_files.id_lines(file, lambda *_: None):
            assert (out / f"{name}.wav").resolve().is_relative_to(out)


def recording(file: Path) -> None:
    try:
        samples = load_recording(file, DEFAULTS.preprocess)
        assert samples.dtype == np.int16 and len(samples) % DEFAULTS.preprocess.hop_size == 0
    except AudioProblem as problem:
        assert str(problem).isprintable() and problem.kind


def unpack(file: Path) -> None:
    before = {path.name for path in file.parent.iterdir()}
    try:
        unpack_archive(file, file.parent / "target")
    finally:
        shutil.rmtree(file.parent / "target", ignore_errors=True)
        assert {path.name for path in file.parent.iterdir()} == before


def convert(file: Path) -> None:
    model, config = (next(file.parent.glob(pattern)) for pattern in ("*.pth", "*.yaml"))
    with contextlib.ExitStack() as after:
        after.callback(shutil.rmtree, file.parents[1] / "converted", ignore_errors=True)
        import_voice(model, config, file.parents[1] / "converted")


def spoken(text: str) -> None:
    """No line is endless, whatever stands in a text and how often."""
    settings = VOICE.config.inference
    for line in VOICE.script.lines(text, settings):
        assert np.isfinite(line.silence) and len(line.prosody) == len(line.ids) <= 6 * settings.max_sentence_chars + 2


# Which files, and what reads them; a reader that returns True has found the file whole.
CASES: dict[str, tuple[str, list[Callable[[Path], object]]]] = {
    "config": ("exp.json", [load_config]),
    "override": ("override.txt", [lambda p: load_config("config/jets.json", text_of(p).split("\n"))]),
    "metadata": ("corpus*/*.*", [metadata]),
    "lexicon": ("lexicon.txt", [read_lexicon]),
    "markup": ("markup.xml", [lambda p: parse_ssml(text_of(p)), lambda p: spoken(text_of(p))]),
    "text": ("spoken.txt", [lambda p: spoken(text_of(p)), lambda p: FRONT_END.encode(text_of(p))]),
    "list of texts": ("list.txt", [listed]),
    "recording": ("audio/*", [recording]),
    "piece of stage 1": ("pieces/*", [is_whole]),
    "model of ESPnet": ("espnet/*.pth", [convert]),
    "config of ESPnet": ("espnet/*.yaml", [convert]),
    "archive": ("archives/a.*", [unpack]),
    "manifest of wavs": ("wavs.jsonl", [lambda p: items_of(read_manifest(p), p.parent, lambda key: None)]),
    "lock": ("lock/.lock", [lock]),
    "state of a checkpoint": (
        "voice/checkpoints/step*/state.json",
        [lambda p: checkpoints.find_checkpoint(p.parents[2], "best"), retention,
         lambda p: checkpoints.find_checkpoint(p.parents[2], "step_00000004")],
    ),
    "best of a run": ("voice/checkpoints/best.json", [lambda p: checkpoints.find_checkpoint(p.parents[1], "best")]),
    "token table": ("voice/tokens.json", [load_tokens]),
    "config of an experiment": (
        "voice/config.json",
        [lambda p: load_experiment_config(p.parent), lambda p: Experiment(p.parent, VOICE.config).open(resume=True)],
    ),
    "meta of a corpus": (
        "tiny/meta.json",
        [lambda p: not use(p.parent), lambda p: ProcessedCorpus.open(p.parent, VOICE.config.preprocess)],
    ),
    "manifest of a corpus": ("tiny/*.arrow", [lambda p: use(p.parent), lambda p: unchecked(p.parent)]),
    "shards of a corpus": ("tiny/shards/*", [lambda p: use(p.parents[1]), lambda p: unchecked(p.parents[1])]),
    "weights": (
        "voice/checkpoints/step*/*.safetensors",
        [lambda p: checkpoints.load_weights(p.parent, False, p.stem),
         lambda p: Synthesizer.from_experiment(p.parents[2], device="cpu")],
    ),
    "training state": (
        "voice/checkpoints/step*/training.pt",
        [lambda p: checkpoints.load_training(p.parent), state_without_checksum],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
@fuzzed
def test_damaged_file(house: Path, kind: str, rng: random.Random) -> None:
    pattern, readers = CASES[kind]
    path = rng.choice(sorted(house.glob(pattern)))
    whole = path.read_bytes()
    content = damaged(whole, PIECES, rng)
    if path.suffix in (".json", ".jsonl", ".yaml") and path.name != "exp.json" and rng.random() < 0.7:
        rows = [yaml.safe_load(line) for line in whole.splitlines()] if path.suffix == ".jsonl" else None
        content = changed_json(yaml.safe_load(whole) if rows is None else rows, rng)
        if rows is not None and content[:1] == b"[":
            with contextlib.suppress(ValueError, RecursionError):
                content = b"".join(json.dumps(row).encode() + b"\n" for row in json.loads(content))
    path.write_bytes(content)
    try:
        for read in readers:
            with only_user_errors():
                assert read(path) is not True or content == whole, "damage was not noticed"
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "kind",
    ["config", "lexicon", "model of ESPnet", "config of ESPnet", "manifest of wavs", "token table", "meta of a corpus"],
)  # fmt: skip
def test_a_pipe_is_refused(house: Path, kind: str) -> None:
    """No reading that never ends."""
    pattern, (read, *_) = CASES[kind]
    path = next(house.glob(pattern))
    whole = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    signal.alarm(60)  # ends the tests, where one would hang
    try:
        with pytest.raises(UserError, match="pipe"):
            read(path)
    finally:
        signal.alarm(0)
        path.unlink()
        path.write_bytes(whole)


@fuzzed
def test_one_piece_again_and_again(rng: random.Random) -> None:
    """Whatever stands thousands of times is read in time that grows with the text."""
    unit = "".join(rng.choice((rng.choice(PIECES), any_text(rng, 3))) for _ in range(rng.randint(1, 4))) or "a"
    before, after = (rng.choice(("", "<speak>", "1", "a ", *PIECES)) for _ in range(2))
    for read in (spoken, FRONT_END.encode):
        with only_user_errors():
            read(before + unit * (5000 // len(unit)) + after)


def test_a_voice_to_import_that_is_a_pickle_of_code_does_not_run(house: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.mkdir, (tmp_path / "ran",)

    torch.save({"model": {"tts.x": torch.zeros(1)}, "engine": Hostile()}, tmp_path / "model.pth")
    with pytest.raises(UserError):
        import_voice(tmp_path / "model.pth", next(house.glob("espnet/*.yaml")), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
