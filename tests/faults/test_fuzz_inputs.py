"""What users hand over, damaged in every way: configs, lexicons, markup, texts, recordings, archives, voices."""

from __future__ import annotations

import random
import shutil
import tarfile
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from models.registry import load_config
from models.tts import text_files
from models.tts.exchange.espnet_voice import export_voice, import_voice
from models.tts.jets.synthesizer import Synthesizer
from preprocessors.download import unpack_archive
from preprocessors.readers.layouts import read_corpus
from processors.audio.recording import AudioProblem, load_recording
from processors.store import is_whole, shard_batch, write_batch
from processors.text.frontend import TextFrontEnd
from processors.text.lexicon import read_lexicon
from processors.text.ssml import parse_ssml
from tests.faults.fuzz import any_text, changed_tree, damaged, fuzzed, only_user_errors, reassembled
from utils.errors import UserError
from utils.files import PROJECT_ROOT

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/v1"
EXP_CONFIG = (PROJECT_ROOT / "egs/tts/Jets/exp_config.json").read_text(encoding="utf-8")
CONFIG_PIECES = [
    "{", "}", "[", "]", ",", ":", "//", "/*", "*/", "'", '"', "\\", "\n", "null", "NaN", "-Infinity", "1e999", "0x10",
    "+.5", '"base_config"', '"base_config": "config/nothing.json",', "train: {", "batch_size", '"Jets"', "-1", "\ufeff",
]  # fmt: skip
OVERRIDES = [
    "train.batch_size=8", "train.AdamW.betas=[0.5, 0.9]", 'dataset=["a"]', "dataset_path.a=/x", "log_dir=x",
    'dataset_path={"a": "b"}', "model.generator=istft", "preprocess.fmax=null", "train.precision=bf16",
]  # fmt: skip


@fuzzed
def test_config_file(tmp_path: Path, rng: random.Random) -> None:
    file = tmp_path / "exp.json"
    if rng.randrange(4) == 0:
        file.write_bytes(damaged(EXP_CONFIG.encode(), rng, head=2000))
    else:
        file.write_text(reassembled(EXP_CONFIG, CONFIG_PIECES, rng), encoding="utf-8", errors="surrogatepass")
    with only_user_errors():
        load_config(file)


@fuzzed
def test_overrides(rng: random.Random) -> None:
    texts = [reassembled(rng.choice(OVERRIDES), CONFIG_PIECES, rng) for _ in range(rng.randint(1, 3))]
    with only_user_errors():
        load_config(PROJECT_ROOT / "config/jets.json", texts)


TABLES = {
    "metadata.csv": "a-1|Dr. Hall paid $5.|Doctor Hall paid five dollars.\na-2|Two.|Two.\nä|Three.|\n../b|Out.|Out.\n",
    "metadata.list": "wavs/a-1.wav|anna|EN|One.\nwavs/a-2.flac|bert|DE|Zwei.\n/etc/passwd|bert|DE|Drei.\n",
    "transcript.txt": "wavs/a-1.wav|1.|One.|1.5\nwavs/ä.wav|Two.|Two.|2\n",
    "metadata.jsonl": '{"file_name": "wavs/a-1.wav", "text": "One.", "speaker": 3}\n{"file_name": "../x.wav"}\n',
    "validated.tsv": 'client_id\tpath\tsentence\nab\ta-1.wav\t"One ""and"" a half."\ncd\t../a.wav\tOut.\n',
    "train/metadata.csv": 'file_name,text,language\n../wavs/a-1.wav,"One, two.",en\na-1.wav,"Th\nree.",de\n',
}  # fmt: skip


@fuzzed
def test_corpus_tables(tmp_path: Path, rng: random.Random) -> None:
    name = rng.choice(list(TABLES))
    for old in TABLES:
        (tmp_path / old).unlink(missing_ok=True)
    for folder in ("wavs", "clips", "train"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for recording in ("a-1.wav", "a-2.flac", "ä.wav"):
            (tmp_path / folder / recording).touch()
    pieces = [
        "|",
        "\t",
        ",",
        '"',
        "\n",
        "\r\n",
        "\x00",
        "../",
        "/",
        "\\",
        "a-1",
        "\ufeff",
        "a" * 300,
        "ä",
        "a\u0308",
        "{",
        "}",
    ]
    content = reassembled(TABLES[name], pieces, rng).encode("utf-8", "surrogatepass")
    (tmp_path / name).write_bytes(damaged(content, rng) if rng.randrange(3) == 0 else content)
    with only_user_errors():
        inside = tmp_path.resolve()
        for row in read_corpus(tmp_path, "voice"):
            if row.kind:
                assert row.reason.isprintable() and row.id.isprintable()
            else:
                assert row.audio.resolve().is_relative_to(inside)


@fuzzed
def test_lexicon(tmp_path: Path, rng: random.Random) -> None:
    text = "kyoto K IY0 OW1 T OW0\n# comment\nhello HH AH0 L OW1\no'brien OW0 B R AY1 AH0 N\n"
    file = tmp_path / "words.txt"
    content = reassembled(text, [" ", "\n", "#", "AH", "AH9", "'", "-"], rng)
    file.write_bytes(damaged(content.encode(errors="replace"), rng))
    with only_user_errors():
        read_lexicon(file)


SSML = (
    '<?xml version="1.0"?>\n<speak version="1.1">One <break time="500ms"/> <prosody rate="fast" pitch="+2st" '
    'volume="-6dB">two <s>three</s></prosody><p>four <sub alias="five">V</sub></p> <phoneme alphabet="ipa" '
    'ph="həˈloʊ">hello</phoneme> <say-as interpret-as="date" format="mdy">12/31/1999</say-as> &amp; &#8230;</speak>'
)
SSML_PIECES = [
    "<", ">", "</", "/>", "&", ";", '"', "'", "<speak>", "</speak>", "<p>", "<s>", "<prosody>", "<break/>", "<!--",
    "-->", "<![CDATA[", "]]>", "<!DOCTYPE x [", '<!ENTITY a "b">', "<?pi?>", "rate=", "+1000%", "1e9Hz", "nan", "-inf",
    "9" * 40, "99999999st", "time=", "ms", "{", "}", "{AH}", "xml:lang=", "<mark/>", "<break time='60s'/>", "<!---->",
    "<!DOCTYPE speak>", '<?xml version="1.0"?>', "</prosody>", "1e400", "㎯", "⩶", "\ufdfa", "<phoneme ph='ə",
]  # fmt: skip


@fuzzed
def test_markup(rng: random.Random) -> None:
    with only_user_errors():
        parse_ssml(reassembled(SSML, SSML_PIECES, rng), arpabet=rng.random() < 0.8)


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    """The fixture's voice."""
    return Synthesizer.from_experiment(FIXTURE / "voice", device="cpu")


@fuzzed
def test_lines_that_a_voice_speaks(voice: Synthesizer, rng: random.Random) -> None:
    text = reassembled(SSML if rng.random() < 0.5 else "Say {HH AH0} twice, e.g. on 3/4. Or $5?", SSML_PIECES, rng)
    with only_user_errors():
        for line in voice.script.lines(text, voice.config.inference):
            assert np.isfinite(line.silence) and len(line.ids) == len(line.prosody)


@fuzzed
def test_one_piece_again_and_again(voice: Synthesizer, rng: random.Random) -> None:
    """Whatever stands thousands of times is read in time that grows with the text, and no line of it is endless."""
    unit = "".join(rng.choice((rng.choice(SSML_PIECES), any_text(rng, 3))) for _ in range(rng.randint(1, 4))) or "a"
    before, after = (rng.choice(("", "<speak>", "<!--", "{", "1", "a ", *SSML_PIECES)) for _ in range(2))
    settings = voice.config.inference
    with only_user_errors():
        for line in voice.script.lines(before + unit * (10_000 // len(unit)) + after, settings):
            assert len(line.ids) <= 6 * settings.max_sentence_chars + 2


FRONT_END = TextFrontEnd()


@fuzzed
def test_texts_of_five_thousand_characters(rng: random.Random) -> None:
    """Any Unicode; mixtures of the signs that the normaliser knows are in the front-end's own tests."""
    unit = any_text(rng, rng.choice((3, 30, 5000))) or "a"
    with only_user_errors():
        assert len(FRONT_END.encode((unit * 5000)[: rng.randint(1, 5000)])) > 2


@fuzzed
def test_text_file(tmp_path: Path, rng: random.Random) -> None:
    text = "id1|One.\nid2|Two, {HH AH0}.|Two.\n\nid3|Three.\n"
    content = reassembled(text, ["|", "\n", "../", "/", "id1", "\x00", "\r", "\ufeff", "CON", "~"], rng)
    (tmp_path / "text.txt").write_bytes(damaged(content.encode("utf-8", "surrogatepass"), rng))
    with only_user_errors():
        if text_files.has_ids(tmp_path / "text.txt"):
            for name, _, _ in text_files.id_lines(tmp_path / "text.txt", lambda *_: None):
                assert (tmp_path / "out" / f"{name}.wav").resolve().is_relative_to(tmp_path / "out")


FORMATS = [
    (".wav", "PCM_16", 1, 22050), (".wav", "PCM_24", 1, 22050), (".wav", "FLOAT", 8, 16000),
    (".wav", "DOUBLE", 1, 192000), (".wav", "ULAW", 1, 8000), (".wav", "IMA_ADPCM", 1, 22050),
    (".flac", "PCM_16", 2, 22050), (".flac", "PCM_24", 1, 96000), (".ogg", "VORBIS", 1, 22050),
    (".ogg", "OPUS", 1, 48000), (".mp3", "MPEG_LAYER_III", 2, 44100), (".aiff", "PCM_16", 1, 22050),
    (".au", "PCM_16", 1, 22050), (".caf", "PCM_16", 1, 22050), (".w64", "PCM_16", 1, 22050),
]  # fmt: skip


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One good recording of each format."""
    folder, made = tmp_path_factory.mktemp("audio"), []
    for suffix, subtype, channels, rate in FORMATS:
        time = np.arange(rate) / rate
        sound = 0.2 * np.sin(2 * np.pi * 150 * time) * np.sin(2 * np.pi * 2 * time)
        made.append(folder / f"{subtype}-{rate}{suffix}")
        soundfile.write(made[-1], np.tile(sound[:, None], channels), rate, subtype=subtype)
    return made


@fuzzed
def test_recording(recordings: list[Path], tmp_path: Path, rng: random.Random) -> None:
    source = rng.choice(recordings)
    content = source.read_bytes()
    file = tmp_path / f"a{rng.choice((source.suffix, source.suffix, '.wav', '.raw'))}"
    file.write_bytes(damaged(content, rng) if rng.random() < 0.8 else content[: rng.randint(0, len(content))])
    preprocess = load_config(PROJECT_ROOT / "config/jets.json").preprocess
    with only_user_errors():
        try:
            samples = load_recording(file, preprocess)
            assert samples.dtype == np.int16 and len(samples) % preprocess.hop_size == 0
        except AudioProblem as problem:
            assert str(problem).isprintable() and problem.kind


@fuzzed
def test_damaged_piece_of_stage_1(tmp_path: Path, rng: random.Random) -> None:
    """Any change of a shard is noticed."""
    row = {"id": "u1", "normalised": "a", "phones": [1, 2], "frames": 2}
    row |= {"audio": np.zeros(512, np.int16), "log_f0": np.zeros(2, np.float32), "voiced": np.zeros(2, np.uint8)}
    file = write_batch(tmp_path, "key", shard_batch([row, {"id": "u2", "kind": "silent"}], ["<pad>", "^", "$"]))
    content = file.read_bytes()
    assert is_whole(file)
    file.write_bytes(damaged(content, rng, head=3000))
    assert is_whole(file) == (file.read_bytes() == content)


@pytest.fixture(scope="module")
def espnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture's voice in ESPnet's files."""
    folder = tmp_path_factory.mktemp("espnet") / "voice"
    export_voice(FIXTURE / "voice", folder)
    # The first import of a process loads much of torch; that is not the time that an input takes.
    import_voice(next(folder.glob("*.pth")), next(folder.glob("*.yaml")), folder.with_name("again"))
    return folder


YAML_PIECES = [": ", "- ", "\n", "!!python/object/apply:os.system [true]", "&a *a", "{", "[", "'", "? ", "|\n"]


@fuzzed
def test_voice_of_another_program(espnet: Path, tmp_path: Path, rng: random.Random) -> None:
    model, config = (next(espnet.glob(pattern)) for pattern in ("*.pth", "*.yaml"))
    if rng.random() < 0.5:
        (tmp_path / "model.pth").write_bytes(damaged(model.read_bytes(), rng, head=30_000))
        model = tmp_path / "model.pth"
    else:
        text = config.read_text(encoding="utf-8")
        content = (
            yaml.safe_dump(changed_tree(yaml.safe_load(text), rng)) if rng.random() < 0.7
            else reassembled(text, YAML_PIECES, rng)
        )  # fmt: skip
        (tmp_path / "config.yaml").write_text(content, encoding="utf-8", errors="surrogatepass")
        config = tmp_path / "config.yaml"
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    with only_user_errors():
        import_voice(model, config, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} <= {"model.pth", "config.yaml", "out"}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A corpus in archives of every kind."""
    folder = tmp_path_factory.mktemp("archives")
    corpus = folder / "corpus"
    (corpus / "wavs").mkdir(parents=True)
    (corpus / "metadata.csv").write_text("a|One.|One.\n" * 20)
    with wave.open(str(corpus / "wavs/a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2000))
    for mode in ("", "gz", "bz2", "xz"):
        with tarfile.open(folder / f"a.tar.{mode}".rstrip("."), f"w:{mode}") as tar:
            tar.add(corpus, "corpus")
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in corpus.rglob("*"):
            zipped.write(path, f"corpus/{path.relative_to(corpus)}")
    return sorted(folder.glob("a.*"))


@fuzzed
def test_archive(archives: list[Path], tmp_path: Path, rng: random.Random) -> None:
    source = rng.choice(archives)
    file, target = tmp_path / source.name, tmp_path / "target"
    file.write_bytes(damaged(source.read_bytes(), rng))
    shutil.rmtree(target, ignore_errors=True)
    try:
        with only_user_errors():
            unpack_archive(file, target)
    finally:
        file.unlink()
    assert {path.name for path in tmp_path.iterdir()} <= {"target"}


def test_a_voice_to_import_that_is_a_pickle_of_code_does_not_run(espnet: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.mkdir, (tmp_path / "ran",)

    torch.save({"model": {"tts.x": torch.zeros(1)}, "engine": Hostile()}, tmp_path / "model.pth")
    with pytest.raises(UserError):
        import_voice(tmp_path / "model.pth", next(espnet.glob("*.yaml")), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pth"]
