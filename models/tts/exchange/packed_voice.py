"""From an experiment to a voice that travels: the weights that speak, in little space, its settings, and a card."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from config.schema import ExperimentConfig, config_to_dict
from models.base.checkpoints import (
    AVERAGE,
    NETWORK,
    checkpoint_folders,
    find_checkpoint,
    has_weights,
    save_checkpoint,
)
from models.base.compact import compact, expand
from models.base.experiment import (
    CONFIG,
    LEXICON,
    TOKENS,
    beside,
    language_lexicon,
    lexicons,
    voice_tokens,
)
from models.evaluation.report import Report, cell, measured_with, summary_table
from models.registry import load_config, load_experiment_config, model_module
from models.tts.pitch_shifts import SENTENCES
from models.tts.voice import speaking_weights
from processors.pitch_response import PITCH_RESPONSE
from processors.text.tokens import load_tokens
from utils.errors import UserError
from utils.files import CARD, PROJECT_ROOT, card_of, from_root, shown, whole_folder, write_json, write_text
from utils.layers import BASE_KEY

# Licences by the names that the Hugging Face hub has for them.
HUB_LICENCES = (
    "apache-2.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-4.0", "cc0-1.0", "gpl-3.0", "mit",
    "openrail",
)  # fmt: skip
TEXTS = SENTENCES[:3]  # what the experiment and its packed voice both say, to be compared


@dataclass(frozen=True)
class VoiceFacts:
    """What only the person who trained a voice knows."""

    title: str
    corpus: str
    licence: str
    training: str
    date: str


def pack_voice(
    expt_dir: Path,
    out: Path,
    facts: VoiceFacts,
    reports: Sequence[Report] = (),
    checkpoint: str | None = None,
    precision: str = "fp16",
    max_megabytes: float = 40.0,
    replace: bool = False,
) -> None:
    """Write the voice of an experiment into the folder `out`, which serves wherever an experiment does.

    `checkpoint` is as in Voice.from_experiment; the averaged weights are taken where there are some. `precision` is
    "fp16" or "int8" (see models.base.compact). With `replace`, `out` may hold an older packed voice. It appears
    complete or not at all.

    :raises UserError: no such experiment or checkpoint, a report about another checkpoint, a folder that is taken, a
        voice of more than `max_megabytes` (of 10^6 bytes), or a full disk.
    """
    config = load_experiment_config(expt_dir)
    chosen = find_checkpoint(expt_dir, checkpoint or config.inference.checkpoint)
    check_target(expt_dir, out, replace)
    for report in reports:
        judged = report.source.get("checkpoint", chosen.name)
        if judged != chosen.name:
            raise UserError(
                f"the report on {report.system} judges {judged}, but {chosen.name} is packed: "
                f"run stage 4 with --set inference.checkpoint={chosen.name}"
            )
    try:
        stored = compact(speaking_weights(chosen.path), precision)
    except ValueError as error:
        raise UserError(f"{chosen.path} cannot be packed: {error}; choose another --checkpoint") from error
    with whole_folder(out) as folder:
        write_json(folder / CONFIG, travelling_config(config, expt_dir, out))
        for name in {TOKENS, LEXICON, PITCH_RESPONSE, *lexicons(config)}:
            if (expt_dir / name).is_file():
                shutil.copyfile(expt_dir / name, folder / name)
        bound = beside(folder, voice_tokens(expt_dir, chosen.path))
        save_checkpoint(folder, chosen.step, {NETWORK: stored}, None, chosen.metrics, bound)
        megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        if megabytes > max_megabytes:
            smaller = "" if precision == "int8" else "pack it with --precision int8 (half of that), "
            raise UserError(
                f"the voice takes {megabytes:.1f} MB, more than --max_megabytes {max_megabytes:g}: {smaller}"
                "train a smaller model (model.generator, model.hidden_channels), or raise the limit"
            )
        print(compared(expt_dir, chosen.name, folder))
        # A packed voice that is packed again has its average for its weights.
        averaged = has_weights(chosen.path, AVERAGE) or (is_packed(expt_dir) and config.train.ema_decay > 0)
        millions = sum(value.numel() for value in expand(stored).values()) / 1e6
        table = load_tokens(folder / TOKENS)
        rows = card_rows(facts, config, f"{precision}, {megabytes:.1f} MB", millions)
        if len(speakers := table.get("speakers", {})) > 1:
            del rows["language"]
            rows["speakers"] = ", ".join(f"{name} ({language})" for name, language in speakers.items())
        rows["steps"] = f"{chosen.step:,}{', averaged weights' if averaged else ''}"
        head = hub_head(facts.licence, table.get("languages") or [config.preprocess.language])
        write_text(folder / CARD, head + voice_card(facts.title, rows, reports, out))
    print(f"{shown(out)}: {chosen.name} of {expt_dir.resolve().name}, {precision}, {megabytes:.1f} MB")


def check_target(expt_dir: Path, out: Path, replace: bool) -> None:
    """Raise UserError unless `out` is free, or a packed voice that may be replaced."""
    if not out.exists():
        return
    if out.resolve() == expt_dir.resolve():
        raise UserError(f"--out {out} is the experiment itself; choose another folder")
    if not is_packed(out):
        raise UserError(f"--out {out} exists and holds no packed voice; choose another folder")
    if not replace:
        raise UserError(f"--out {out} holds a voice already: add --replace to put this one in its place")


def is_packed(folder: Path) -> bool:
    """Whether a folder holds what `pack_voice` wrote."""
    complete = card_of(folder) is not None and all((folder / name).is_file() for name in (CONFIG, TOKENS))
    return complete and len(checkpoint_folders(folder)) == 1


def travelling_config(config: ExperimentConfig, expt_dir: Path, out: Path) -> dict[str, Any]:
    """The experiment's config without what only holds on the machine where it was trained.

    It can be given to --config as it is: it builds on the defaults, for keys that later versions add.
    """
    base = f"config/{config.model_type.lower()}.json"
    usual = config_to_dict(load_config(PROJECT_ROOT / base))
    tree = config_to_dict(config)
    tree["log_dir"] = usual["log_dir"]
    tree["dataset_path"] = {name: f"corpora/{name}" for name in config.dataset}
    tree["corpora"] = {name: corpus for name, corpus in tree["corpora"].items() if name in config.dataset}
    for name, corpus in tree["corpora"].items():
        own = language_lexicon(config.preprocess_of(name).language)
        if corpus["lexicon_path"] is not None and (expt_dir / own).is_file():
            corpus["lexicon_path"] = from_root(out / own)
    tree["inference"]["checkpoint"] = "last"
    for key in ("processed_dir", "num_workers", "engine"):
        tree["preprocess"][key] = usual["preprocess"][key]
    for key, name in (("lexicon_path", LEXICON), ("tokens_path", TOKENS)):
        if tree["preprocess"][key] is not None and (expt_dir / name).is_file():
            tree["preprocess"][key] = from_root(out / name)
    if "/" in (tree["evaluate"]["asr_model"] or ""):  # a folder
        tree["evaluate"]["asr_model"] = usual["evaluate"]["asr_model"]
    return {BASE_KEY: base, **tree}


def compared(expt_dir: Path, checkpoint: str, packed: Path) -> str:
    """How much the packed voice differs from the experiment's, in a sentence; UserError when it cannot speak."""
    kind = model_module(load_experiment_config(packed).model_type, "synthesizer").Synthesizer
    exact = ("inference.precision=fp32",)
    before = kind.from_experiment(expt_dir, "cpu", checkpoint, exact)
    after = kind.from_experiment(packed, "cpu", None, exact)
    ratios, longer = [], 0.0
    for text in TEXTS:
        one, other = before.tts(text)[0], after.tts(text)[0]
        longer = max(longer, abs(len(other) / len(one) - 1))
        if len(one) == len(other):
            noise = np.sum((one - other) ** 2, dtype=np.float64)
            ratios.append(10 * np.log10(np.sum(one**2, dtype=np.float64) / max(noise, 1e-20)))
    others = f", the others within {longer:.1%}" if len(ratios) < len(TEXTS) else ""
    timing = f"{len(ratios)} of {len(TEXTS)} sentences as long as before{others}"
    same = f"; what packing changes lies {min(ratios):.1f} dB below the speech" if ratios else ""
    return f"packed against unpacked: {timing}{same}"


def card_rows(facts: VoiceFacts, config: ExperimentConfig, stored: str, millions: float) -> dict[str, str]:
    """What the card says of a voice of so many million weights; `stored` is how they are stored."""
    preprocess, train = config.preprocess, config.train
    generator = getattr(getattr(config, "model", None), "generator", None)
    batch = f"batches of {train.batch_size}"
    if train.max_batch_frames is not None:
        batch += f" (at most {train.max_batch_frames} frames)"
    return {
        "corpus": facts.corpus,
        "licence": facts.licence,
        "language": f"{preprocess.language}, tokens by phone_extractor {preprocess.phone_extractor}",
        "model": f"{config.model_type}{f', generator {generator}' if generator else ''}, {millions:.1f} M weights",
        "audio": f"{preprocess.sample_rate:,} Hz, mono",
        "stored": f"{stored}, without discriminators and optimisers",
        "training": facts.training,
        "steps": "",
        "settings": f"{batch}, learning rate {train.learning_rate:g}; all of them in config.json",
        "date": facts.date,
    }


def hub_head(licence: str, languages: Sequence[str]) -> str:
    """What the Hugging Face hub reads of a card, in YAML."""
    known = re.sub(r"[ _]+", "-", licence.strip().lower())
    terms = [f"license: {known}"]
    if known not in HUB_LICENCES:
        terms = ["license: other", f"license_name: {json.dumps(licence)}"]
    codes = sorted({language.partition("-")[0] for language in languages})
    rest = ["pipeline_tag: text-to-speech", "library_name: jets", "tags: [jets, onnx, text-to-speech]"]
    return "\n".join(["---", *terms, f"language: [{', '.join(codes)}]", *rest, "---", "", ""])


def voice_card(title: str, rows: dict[str, str], reports: Sequence[Report], out: Path) -> str:
    """Where a voice comes from, what may be done with it, how good it is, and how the folder `out` is used."""
    lines = [f"# {cell(title)}, a voice", "", "| | |", "| --- | --- |"]
    lines += [f"| {key} | {cell(value)} |" for key, value in rows.items() if value]
    lines += ["", "## Measures", ""]
    for report in reports:
        source = ", ".join(f"{key} {value}" for key, value in report.source.items() if key != "experiment")
        judged = f"{len(report.utterances)} utterances, {len(report.failed)} failed, {len(report.skipped)} skipped"
        lines += [f"{cell(report.system)}: {judged}{f' ({cell(source)})' if source else ''}.", ""]
        lines += [*summary_table(report, ()), *measured_with(report)]
    if reports:
        lines.append("egs/tts/Jets/EVALUATION.md says what each figure is.")
    else:
        lines.append("None yet: stage 4 measures a voice, and `bins/pack.py --report` puts its figures here.")
    place = out.absolute()
    place = place.relative_to(PROJECT_ROOT) if place.is_relative_to(PROJECT_ROOT) else Path(place.name)
    lines += [
        "",
        "## Use",
        "",
        "From Python `jets.Voice.from_pretrained` takes this folder, or its name on the hub; and:",
        "",
        "```sh",
        f'sh egs/tts/Jets/run.sh --stage 3 --infer_expt_dir {place} --infer_output_dir speech --infer_text "Hello."',
        f"sh egs/tts/Jets/run.sh --stage 1-2 --config {place}/config.json --finetune_from {place} --name mine \\",
        "    --set 'dataset=[\"my_corpus\"]' --set dataset_path.my_corpus=corpora/my_corpus --set train.max_epoch=5",
        "```",
        "",
    ]
    return "\n".join(lines)
