"""Speak with an exported voice, or the bundled one: numpy, onnxruntime and the text front-end, no torch.

usage: jets say TEXT -o FILE.wav [flags] | jets serve [flags] | jets voices; `jets say --help` lists the flags
In Python: `from jets import Voice; wave, rate = Voice().tts("Hello.")`, from any folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError, command
from utils.files import PROJECT_ROOT

if TYPE_CHECKING:
    from processors.onnx_voice import OnnxVoice as Voice

__all__ = ["Voice", "main"]
CONTROLS = ("speaker", "language", "speed", "pitch", "energy")


def __getattr__(name: str) -> object:
    """`Voice`, which takes a moment to import, once it is asked for."""
    if name != "Voice":
        raise AttributeError(f"module 'jets' has no attribute {name!r}")
    from processors.onnx_voice import OnnxVoice

    return OnnxVoice


@command
def main() -> int:
    """Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C."""
    from processors.timestamps import FORMATS

    parser = argparse.ArgumentParser(prog="jets", description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    say = commands.add_parser("say", help="speak a text", allow_abbrev=False)
    say.add_argument("text", nargs="?", help="text or SSML to speak (default: standard input)")
    where = say.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--out", type=Path, help="wav file to write")
    where.add_argument("--stream", action="store_true", help="raw 16-bit mono audio to standard output, for aplay")
    say.add_argument("--timestamps", choices=tuple(FORMATS), help="beside the wav, when words are heard")
    add_voice(say)
    say.add_argument("--speaker", help="who speaks, of several")
    say.add_argument("--language", help="which language the text is in (default: the speaker's own)")
    say.add_argument("--speed", type=float, help="tempo, 2 is twice as fast")
    say.add_argument("--pitch", type=float, help="pitch shift in semitones")
    say.add_argument("--energy", type=float, help="vocal effort in dB")
    server = commands.add_parser("serve", help="answer OpenAI's clients, and Home Assistant", allow_abbrev=False)
    add_voice(server)
    server.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines (default: this one only)")
    server.add_argument("--port", type=int, default=8880, help="default: 8880")
    server.add_argument("--wyoming_port", type=int, help="port for Home Assistant, such as 10200 (default: none)")
    commands.add_parser("voices", help="list the voices of this project that speak without torch")
    arguments = parser.parse_args()
    return {"say": speak, "serve": answer, "voices": list_voices}[arguments.command](arguments)


def add_voice(parser: argparse.ArgumentParser) -> None:
    """Which voice, and how many threads."""
    known = "folder of bins/export.py or bins/pack.py, or a name on the Hugging Face hub (default: the bundled voice)"
    parser.add_argument("--voice", help=known)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")


def speak(arguments: argparse.Namespace) -> int:
    """`jets say`: a text to a wav file or to standard output."""
    from processors.audio.wav import WavWriter, to_pcm16
    from processors.onnx_voice import OnnxVoice
    from processors.timestamps import FORMATS
    from utils.files import write_text

    controls: Any = {name: getattr(arguments, name) for name in CONTROLS if getattr(arguments, name) is not None}
    if arguments.stream and arguments.timestamps:
        raise UserError("--timestamps needs --out: they are written beside the wav")
    if arguments.out is not None and arguments.out.suffix.lower() != ".wav":
        raise UserError(f"{arguments.out}: a wav file is written; name it {arguments.out.stem}.wav")
    text = sys.stdin if arguments.text is None else arguments.text
    voice = OnnxVoice.from_pretrained(arguments.voice, threads=arguments.threads)
    if arguments.stream:
        for piece in voice.stream(text, **controls):
            sys.stdout.buffer.write(to_pcm16(piece).tobytes())
            sys.stdout.buffer.flush()
        return 0
    timeline = voice.timeline() if arguments.timestamps else None
    with WavWriter(arguments.out, voice.sample_rate) as wav:
        for wave in voice.narrate(text, timeline=timeline, **controls):
            wav.write(wave)
    if timeline is not None:
        write_text(arguments.out.with_suffix(FORMATS[arguments.timestamps]), timeline.written(arguments.timestamps))
    print(f"{arguments.out}: {wav.seconds:.2f} s at {voice.sample_rate} Hz")
    return 0


def answer(arguments: argparse.Namespace) -> int:
    """`jets serve`: a voice as a web service; JETS_API_KEY in the environment is the key that clients need."""
    from models.tts.serving import serve
    from processors.onnx_voice import OnnxVoice

    voice = OnnxVoice.from_pretrained(arguments.voice, threads=arguments.threads)
    serve(voice, voice.name, arguments.host, arguments.port, arguments.wyoming_port)
    return 0


def list_voices(arguments: argparse.Namespace) -> int:
    """`jets voices`: the folder of each, and who speaks there."""
    from processors.cast import Cast
    from processors.onnx_voice import BUNDLED, MODEL
    from processors.text.tokens import load_tokens

    for folder in (BUNDLED, *sorted((PROJECT_ROOT / "ckpts/tts").glob("*"))):
        if (folder / MODEL).is_file():
            print(folder, *Cast.read(load_tokens(folder / "tokens.json")).lines(), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
