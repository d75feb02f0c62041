"""bins/inference.py as the user starts it: every mode, every way to get it wrong."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.tts.text_files import has_ids
from processors.text.english import EnglishIpa
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import ipa_tokens, save_tokens
from tests.scripts import load_script
from tests.tiny_voice import ROOT, make_corpus, make_experiment

RATE = 22050
Here = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experiment(tmp_path_factory.mktemp("voice"))


@pytest.fixture
def speak_here(folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Here:
    """The same in this process, without the slow start of another one."""
    script = load_script("inference")
    monkeypatch.setattr(script.signal, "signal", lambda *_: None)

    def call(*flags: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        monkeypatch.setattr(sys, "argv", ["inference.py", f"--expt_dir={folder}", "--device=cpu", *flags])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            status = script.main()
        except SystemExit as stop:
            status = stop.code
        return subprocess.CompletedProcess(flags, status, *capfdbinary.readouterr())

    return call


def lines_of(output: bytes) -> list[str]:
    return output.decode().splitlines()


def test_one_text(speak_here: Here, tmp_path: Path) -> None:
    done = speak_here(f"--output_dir={tmp_path}", "--text", "Hello there. How are you?", "--speed", "2")
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = lines_of(done.stdout)
    path, duration, unit, name, rtf = line.split()
    assert path == str(tmp_path / "0001.wav") and (unit, name) == ("s", "RTF") and float(rtf) > 0
    wave, rate = soundfile.read(path)
    assert rate == RATE and len(wave) / rate == pytest.approx(float(duration), abs=0.01)
    assert [p.name for p in tmp_path.iterdir()] == ["0001.wav"]


def test_timestamps_lie_beside_the_wavs(speak_here: Here, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("1|It costs $5.\n2|Stop.\n")
    (tmp_path / "book.txt").write_text("It costs $5. Stop.\n")
    for flag, name in (("text=It costs $5. Stop.", "0001"), (f"text_file={tmp_path / 'book.txt'}", "book")):
        done = speak_here(f"--output_dir={tmp_path / 'out'}", f"--{flag}", "--timestamps=json")
        assert (done.returncode, done.stderr) == (0, b"")
        tree = json.loads((tmp_path / f"out/{name}.json").read_text())
        assert [row["word"] for row in tree["words"]] == ["It", "costs", "$5", "Stop"]
        assert tree["seconds"] == pytest.approx(soundfile.info(tmp_path / f"out/{name}.wav").duration, abs=1e-3)
    speak_here(f"--output_dir={tmp_path / 'out'}", f"--text_file={tmp_path / 'two.txt'}", "--timestamps=srt")
    assert (tmp_path / "out/1.srt").read_text().endswith("It costs $5.\n") and (tmp_path / "out/2.srt").is_file()


def test_texts_are_explained_without_speaking(speak_here: Here, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("1|Go.\nno line\n2|Stop.\n")
    for flag in ("--text=Go. Stop.", f"--text_file={tmp_path / 'two.txt'}"):
        done = speak_here("--explain", f"--output_dir={tmp_path / 'out'}", "--checkpoint=none", flag)
        assert done.returncode == 0 and not (tmp_path / "out").exists()
        rows = [line.split() for line in lines_of(done.stdout)]
        assert [row[-1] for row in rows] == ["OW1}", ".", "P}", "."]
        assert [row[1] for row in rows] == ["word", "mark"] * 2
    assert done.stderr.startswith(b"skipped ")
    for flags in (["--explain"], ["--explain", "--stream", "--text=Go."]):
        done = speak_here(*flags)
        assert (done.returncode, done.stderr[:24]) == (2, b"error: --explain prints:")


def test_a_wav_that_is_replaced_is_told(speak_here: Here, tmp_path: Path) -> None:
    (tmp_path / "0001.txt").write_text("Hello there.")
    for flag in ("--text=Hello.", f"--text_file={tmp_path / '0001.txt'}"):
        said = [speak_here(f"--output_dir={tmp_path / 'out'}", flag).stdout for _ in range(2)]
        assert [b"0001.wav" in line and b"(replaced an earlier one)" in line for line in said] == [False, True]
        (tmp_path / "out/0001.wav").unlink()


def test_speaking_imports_only_what_it_needs(folder: Path, tmp_path: Path) -> None:
    heavy = ["numba", "scipy", "librosa", "tensorboard", "matplotlib", "accelerate", "nltk", "pyarrow", "xxhash"]
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['', '--expt_dir={folder}', '--device=cpu', '--text=Hello.', '--output_dir={tmp_path}']\n"
        "try:\n    runpy.run_path('bins/inference.py', run_name='__main__')\n"
        f"finally:\n    sys.exit(', '.join(name for name in {heavy} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.stderr.strip() == "" and (tmp_path / "0001.wav").is_file()


def test_lines_of_standard_input_and_the_default_folder(speak_here: Here, folder: Path) -> None:
    done = speak_here("--text=-", stdin="One line.\n\n***\nZwölf \xff.\n".encode("latin-1"))
    assert done.returncode == 1, "a line was skipped"
    assert [Path(line.split()[0]).name for line in lines_of(done.stdout)] == ["0001.wav", "0003.wav"]
    assert lines_of(done.stderr) == ["skipped line 2: the text '***' holds nothing that can be spoken"]
    assert (folder / "result" / "0003.wav").is_file()


def test_a_plain_file_becomes_one_wav(speak_here: Here, tmp_path: Path) -> None:
    text = tmp_path / "chapter.txt"
    text.write_text("\ufeffIt begins. It goes on.\n\nA paragraph | with a bar.\n", encoding="utf-8")
    flags = [f"--output_dir={tmp_path / 'out'}", f"--text_file={text}", "--set=inference.paragraph_silence=2"]
    done = speak_here(*flags)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["chapter.wav"]
    wave = soundfile.read(tmp_path / "out/chapter.wav")[0]
    loud = np.flatnonzero(np.abs(wave) > 0.02)
    assert np.diff(loud).max() > 2 * RATE, "two seconds between the paragraphs"


def test_id_lines_become_a_wav_each(speak_here: Here, tmp_path: Path) -> None:
    text = tmp_path / "list.txt"
    rows = "clip 1|Hello there.\nb|***\n../c|Out!\n/etc/d|Out!\nsub/e|Two. Three.|two. three.\nCLIP 1|Again.\nno bar"
    text.write_text(rows)
    out = tmp_path / "deep" / "out"
    done = speak_here(f"--output_dir={out}", f"--text_file={text}")
    assert done.returncode == 1, "some were skipped"
    assert sorted(p.name for p in out.iterdir()) == ["clip 1.wav", "manifest.jsonl", "sub"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "list.txt"]
    reported = lines_of(done.stderr)
    assert [line.split(":")[0] for line in reported] == [
        "skipped b", "skipped line 3", "skipped line 4", "skipped line 6", "skipped line 7"
    ]  # fmt: skip
    made = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [(row["id"], row["text"], row["wav"]) for row in made] == [
        ("clip 1", "Hello there.", "clip 1.wav"), ("sub/e", "Two. Three.", "sub/e.wav")
    ]  # fmt: skip
    for row in made:
        seconds = soundfile.info(out / row["wav"]).duration
        assert row["seconds"] == pytest.approx(seconds, abs=1e-3)
        assert row["rtf"] > 0 and row["phones_per_second"] > 0
    assert lines_of(done.stdout)[0].startswith("2 utterances, ")


def test_prose_with_a_bar_is_no_list(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    cases = {"A bar | is here.\nAnd none.": False, "Clip 1|One.\nClip 2|Two.": True, "1|One.\nx": True}
    for content, listed in {**cases, "http://x|y": False, "Only prose.": False}.items():
        text.write_text(content)
        assert has_ids(text) == listed


def test_words_in_another_script_are_left_out_with_one_note_for_each_text(speak_here: Here, tmp_path: Path) -> None:
    out = f"--output_dir={tmp_path / 'out'}"
    told = 'the voice cannot read it: "Привет", "你好"'
    text = "Hello Привет world 你好. Привет. Again 😀 你好."
    for flags in ([out], ["--stream"]):
        done = speak_here(*flags, "--text", text)
        assert (done.returncode, lines_of(done.stderr)) == (0, [f"note: left out, {told}"])
    done = speak_here(out, "--text=-", stdin=f"Hello.\n{text}\nПривет.\n".encode())
    refused = "the text 'Привет.' holds nothing that can be spoken"
    assert lines_of(done.stderr) == [f"note: left out of line 2, {told}", f"skipped line 3: {refused}"]
    assert done.returncode == 1
    file = tmp_path / "texts"
    file.write_text(f"a|Hello.\nb|{text}\nc|Привет.\n", encoding="utf-8")
    done = speak_here(out, f"--text_file={file}")
    assert lines_of(done.stderr) == [f"note: left out of b, {told}", f"skipped c: {refused}"]
    file.write_text("Hello. " + " ".join(f"{letter * 40}." for letter in "бвгджзклм"), encoding="utf-8")
    done = speak_here(out, f"--text_file={file}")
    shown = ", ".join(f'"{letter * 30}…"' for letter in "бвгдж")
    assert lines_of(done.stderr) == [f"note: left out, the voice cannot read it: {shown} and more"]
    alone = speak_here(out, "--text=Привет.")
    assert (alone.returncode, lines_of(alone.stderr)) == (2, [f"error: {refused}"])
    marked = '<speak>Say <sub alias="hello">Привет</sub>.</speak>'
    assert speak_here(out, "--text", marked).stderr == b""


def test_a_split_of_a_corpus(speak_here: Here, tmp_path: Path) -> None:
    frontend = TextFrontEnd(EnglishIpa())
    texts = {"u1": "Hello there.", "u2": "A longer one, Привет, with more words in it.", "../escape": "Out!"}
    rows = [(name, text, frontend.phonemise(text)) for name, text in texts.items()]
    rows.append(("u4", "Unknown phones.", ["^", "QQ", "$"]))
    make_corpus(tmp_path / "data" / "Tiny", rows)
    data = f"--set=preprocess.processed_dir={tmp_path / 'data'}"
    flags = [f"--output_dir={tmp_path / 'out'}", "--dataset=Tiny", data]
    done = speak_here("--mode=batch", *flags)
    assert done.returncode == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["manifest.jsonl", "u1.wav", "u2.wav"]
    rows_made = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows_made] == ["u1", "u2"], "in the corpus' order"
    summary, rate = lines_of(done.stdout)
    assert summary.startswith("2 utterances, ") and "RTF" in summary and "x real time" in summary
    assert rate.startswith("speaking rate ") and "recordings" in rate
    skipped = ["note", "skipped ../escape", "skipped u4"]
    assert [line.split(":")[0] for line in lines_of(done.stderr)] == skipped
    # The same utterance alone gives the same samples.
    alone = speak_here(f"--output_dir={tmp_path / 'alone'}", "--text", "Hello there.")
    assert alone.returncode == 0
    first, second = (soundfile.read(path)[0] for path in (tmp_path / "out/u1.wav", tmp_path / "alone/0001.wav"))
    assert first.shape == second.shape and np.abs(first - second).max() <= 1 / 32768
    empty = speak_here("--testing_set=valid", *flags)
    assert empty.returncode == 2 and b"the split valid of Tiny is empty" in empty.stderr


def test_a_stream_is_raw_audio_and_nothing_else(speak_here: Here, tmp_path: Path) -> None:
    text = "Hello there. How are you?"
    done = speak_here("--stream", "--text", text)
    assert (done.returncode, done.stderr) == (0, b"")
    streamed = np.frombuffer(done.stdout, "<i2")
    assert speak_here(f"--output_dir={tmp_path}", "--text", text).returncode == 0
    written = soundfile.read(tmp_path / "0001.wav", dtype="int16")[0]
    assert streamed.shape == written.shape and np.abs(streamed.astype(int) - written).max() <= 1
    several = speak_here("--stream", "--text=-", stdin=b"Hello there. How are you?\n***\nBye.\n")
    assert several.returncode == 1 and several.stdout[: len(done.stdout)] == done.stdout
    assert len(several.stdout) > len(done.stdout)
    assert lines_of(several.stderr) == ["skipped text 2: the text '***' holds nothing that can be spoken"]


def test_a_stream_stops_silently_when_nobody_listens(folder: Path) -> None:
    flags = ["--device=cpu", "--stream", "--text", "It goes on and on. " * 200]
    command = [sys.executable, str(ROOT / "bins/inference.py"), f"--expt_dir={folder}", *flags]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None and child.stderr is not None
    assert len(child.stdout.read(1000)) == 1000
    child.stdout.close()
    assert child.wait(timeout=120) == 0
    assert child.stderr.read() == b""
    child.stderr.close()


@pytest.mark.parametrize(
    ("text", "made"),
    [("It begins. It goes on.\n", ["speech.wav"]), ("a|Hello.\nb|Bye.\n", ["a.wav", "b.wav", "manifest.jsonl"])],
)
def test_a_pipe_is_a_text_file(speak_here: Here, tmp_path: Path, text: str, made: list[str]) -> None:
    pipe = tmp_path / "speech.fifo"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    done = speak_here(f"--output_dir={tmp_path / 'out'}", f"--text_file={pipe}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == made
    assert all(soundfile.info(path).duration > 0.1 for path in (tmp_path / "out").glob("*.wav"))


def test_process_substitution_is_streamed(folder: Path, speak_here: Here) -> None:
    read, write = os.pipe()  # what a shell makes of <(command)
    os.write(write, b"Hello there. How are you?")
    os.close(write)
    command = [sys.executable, str(ROOT / "bins/inference.py"), f"--expt_dir={folder}", "--device=cpu", "--stream"]
    command.append(f"--text_file=/dev/fd/{read}")
    done = subprocess.run(command, capture_output=True, pass_fds=[read], timeout=300, check=False)
    os.close(read)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == speak_here("--stream", "--text", "Hello there. How are you?").stdout != b""


def test_an_interrupted_file_leaves_nothing_behind(speak_here: Here, tmp_path: Path) -> None:
    text = tmp_path / "bad.txt"
    text.write_bytes(b"Fine." + b"\n" * 70_000 + b"\xff\xfe")  # more than is looked at before it speaks
    done = speak_here(f"--output_dir={tmp_path / 'out'}", f"--text_file={text}", "--set=inference.speed=4")
    assert done.returncode == 2 and b"is not UTF-8" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text=***"], "error: the text '***' holds nothing that can be spoken"),
        (["--text=<speak>x"], "error: SSML, line 1, column 9"),
        (["--text=x", "--pitch=high"], "inference.pitch_semitones"),
        (["--text=x", "--checkpoint=nope"], 'choose "last", "best" or one of step_00000001, step_00000002'),
        (["--mode=single"], "--mode single needs --text or --text_file"),
        (["--stream"], "--stream speaks a text: give --text or --text_file, not a split"),
        (["--text=-"], "error: there is nothing to speak: the input is empty"),
        (["--text_file=/no/such.txt"], "--text_file /no/such.txt: no such file"),
        (["--text_file=/dev/zero"], "--text_file /dev/zero is a device; give a text file, a pipe, or --text -"),
        (["--text=x", "--text_file=y"], "--text and --text_file exclude each other"),
        (["--text=x", "--output_dir=/dev/null/x"], "--output_dir /dev/null/x: /dev/null is a file, not a folder"),
        (["--mode=batch", "--dataset=Nope"], "has no such corpus; choose LJSpeech"),
        (["--text=x", "--speed=9"], "error: --speed: inference.speed must be at most 4"),
        (["--mode=some"], "invalid choice"),
        (["--text=x", "--stream", "--timestamps=srt"], "--timestamps go beside wavs: leave out --stream"),
        (["--text=x", "--expt_dir=/no/such"], "--expt_dir /no/such: no such folder"),
    ],
)
def test_wrong_flags(speak_here: Here, flags: list[str], message: str) -> None:
    done = speak_here(*flags)
    assert done.returncode == 2
    assert message in done.stderr.decode() and done.stdout == b""


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mode=batch", "--dataset=Nope"], "--infer_dataset Nope: "),
        (["--mode=batch", "--text=x"], "leave out --infer_text and --infer_text_file"),
        (["--text=x", "--pitch=high"], "--infer_pitch: inference.pitch_semitones"),
    ],
)
def test_run_sh_is_answered_with_its_own_flags(
    speak_here: Here, monkeypatch: pytest.MonkeyPatch, flags: list[str], message: str
) -> None:
    monkeypatch.setenv("JETS_FLAG_PREFIX", "infer_")
    # The machine's own features, if it has any, are no part of the test.
    done = speak_here("--set=preprocess.processed_dir=/no/such", *flags)
    assert done.returncode == 2 and message in done.stderr.decode()


def test_several_speakers(tmp_path: Path, speak_here: Here) -> None:
    several = make_experiment(tmp_path / "several", ("model.spks=2",))
    cast = {"speakers": {"anna": "en-us", "ben": "en-us"}, "languages": ["en-us"]}
    save_tokens(several / "tokens.json", ipa_tokens(), "ipa", "en-us", None, **cast)
    (tmp_path / "list.txt").write_text("a|Hi there.\nb|ben|Hi there.\nc|Ben|Hi there.\nd|anna|Hi there.\n")
    out = tmp_path / "out"
    here = f"--expt_dir={several}"
    done = speak_here(here, f"--text_file={tmp_path / 'list.txt'}", f"--output_dir={out}")
    skipped = "skipped line 3: this voice has no speaker 'Ben': did you mean ben? it has anna, ben"
    assert (done.returncode, lines_of(done.stderr)) == (1, [skipped])
    a, b, d = (soundfile.read(out / f"{name}.wav", dtype="int16")[0] for name in "abd")
    assert np.array_equal(a, d) and not np.array_equal(a[: len(b)], b[: len(a)])
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["Hi there."] * 3
    speak_here(here, "--text=Hi there.", "--speaker=ben", f"--output_dir={out}")
    np.testing.assert_allclose(soundfile.read(out / "0001.wav", dtype="int16")[0], b, atol=2)
    listed = speak_here(here, "--list_voices")
    assert (listed.returncode, lines_of(listed.stdout)[:2]) == (0, ["anna  en-us", "ben  en-us"])
    for flags, message in (
        (["--speaker=anne"], "did you mean anna?"), (["--language=fr"], "does not speak 'fr'"),
        (["--speaker=anna:0.5+x"], "no speaker 'x'"),
    ):  # fmt: skip
        wrong = speak_here(here, "--text=Hi.", f"--output_dir={out}", *flags)
        assert wrong.returncode == 2 and message in wrong.stderr.decode()
    nameless = speak_here("--text=Hi.", f"--output_dir={out}", "--speaker=anna")
    assert nameless.returncode == 2 and "no speakers by name" in nameless.stderr.decode()
