"""Train the letter-to-sound network of the front-end on CMUdict, and measure it.

Usage: python tests/benchmarks/train_letters.py --out letters.npz

Letters and phones are aligned first (each letter says nothing, one phone or two), then a transformer learns to give
each letter its phones: an encoder reads the word, a causal decoder sees what the letters before were given. What it
says of words that it never met is measured on words whose first six letters occur nowhere in training.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from processors.text.letters import LETTERS, NAME, WORD, LetterToSound, distance_index
from processors.text.lexicon import plain_cmudict

WIDTH, HEADS, ENCODER, DECODER = 192, 4, 4, 1
Aligned = list[tuple[str, str]]  # letter, its phones joined by spaces

# Which accented letters a letter may be written as where it (or a pair of letters) has this sound.
ACCENTS = {
    ("e", "EY"): "ééé", ("e", "EH"): "èêë", ("e", "IY"): "é", ("a", "AA"): "áàâã", ("a", "EH"): "ä", ("a", "AO"): "å",
    ("i", "IY"): "íîï", ("i", "IH"): "í", ("o", "OW"): "óôō", ("o", "AO"): "ó", ("o", "AA"): "óõ", ("o", "ER"): "öø",
    ("u", "UW"): "úûùü", ("u", "UH"): "üú", ("c", "S"): "ç", ("c", "CH"): "čć", ("w", "W"): "ł", ("s", "SH"): "šşś",
    ("z", "ZH"): "žż", ("j", "Y"): "ý", ("sh", "SH"): "šşś", ("ch", "CH"): "čć", ("zh", "ZH"): "žż", ("ny", "N Y"): "ñ",
    ("ni", "N Y"): "ñ", ("oe", "OW"): "öø", ("oe", "ER"): "öœ", ("ue", "UW"): "ü", ("ae", "EY"): "ä",
    ("ae", "EH"): "æä", ("ss", "S"): "ß", ("ts", "T S"): "ț",
}  # fmt: skip


def bare(phones: str) -> str:
    """Phones without stress."""
    return phones.translate(str.maketrans("", "", "012"))


def viterbi(word: str, phones: list[str], score: dict[tuple[str, str], float]) -> tuple[float, Aligned]:
    """The best alignment of a word and its log-probability; -inf if there is none."""
    plain = [bare(phone) for phone in phones]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for index, letter in enumerate(word):
        reached: dict[int, tuple[float, int]] = {}
        left = len(word) - index - 1
        for start, (value, _) in best[-1].items():
            for end in range(start, min(start + 2, len(phones)) + 1):
                if len(phones) - end > 2 * left:
                    continue
                total = value + score.get((letter, " ".join(plain[start:end])), -14.0 if end - start < 2 else -18.0)
                if end not in reached or total > reached[end][0]:
                    reached[end] = (total, start)
        best.append(reached)
    if len(phones) not in best[-1]:
        return -math.inf, []
    aligned, end = [], len(phones)
    for index in range(len(word), 0, -1):
        start = best[index][end][1]
        aligned.append((word[index - 1], " ".join(phones[start:end])))
        end = start
    return best[-1][len(phones)][0], aligned[::-1]


def align(entries: list[tuple[str, list[str]]]) -> dict[str, Aligned]:
    """Each word's letters with their phones, by hard expectation maximisation; words that fit badly are left out."""
    pairs: Counter[tuple[str, str]] = Counter()
    for word, phones in entries:
        for index, letter in enumerate(word):
            centre = (index + 0.5) / len(word) * len(phones)
            for place in range(max(0, int(centre) - 1), min(len(phones), int(centre) + 2)):
                pairs[letter, bare(phones[place])] += 1
    letters: Counter[str] = Counter()
    sounds: Counter[str] = Counter()
    for (letter, sound), count in pairs.items():
        letters[letter] += count
        sounds[sound] += count
    total = sum(sounds.values())
    score = {p: math.log(n * total / letters[p[0]] / sounds[p[1]]) - 2.0 for p, n in pairs.items()}
    score |= {(letter, ""): -2.5 for letter in letters}
    sample = random.Random(1).sample(entries, min(len(entries), 25_000))
    for _ in range(6):
        pairs = Counter((c, bare(p)) for word, phones in sample for c, p in viterbi(word, phones, score)[1])
        letters = Counter()
        for (letter, _sound), count in pairs.items():
            letters[letter] += count
        score = {p: math.log(n / letters[p[0]]) for p, n in pairs.items()}
    aligned = {}
    for word, phones in entries:
        value, result = viterbi(word, phones, score)
        # Initialisms and typing errors: their letters do not say these phones.
        if value > -3.5 * len(word) - 4:
            aligned[word] = result
    return aligned


def accented(aligned: Aligned, rng: random.Random) -> Aligned:
    """The word as it might be written with accents, one or two of them."""
    result = list(aligned)
    index = 0
    while index < len(result):
        letter, phones = result[index]
        pair = result[index + 1] if index + 1 < len(result) else ("", "")
        together = " ".join(filter(None, (phones, pair[1])))
        choices = ACCENTS.get((letter + pair[0], bare(together)), "")
        if choices and rng.random() < 0.5:
            result[index : index + 2] = [(rng.choice(choices), together)]
        elif (letter, bare(phones)) in ACCENTS and rng.random() < 0.5:
            result[index] = (rng.choice(ACCENTS[letter, bare(phones)]), phones)
        index += 1
    return result


class Block(nn.Module):
    """Pre-norm self-attention with a learned bias for each distance, and a feed-forward part."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.distance = nn.Parameter(torch.zeros(HEADS, 33))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, C), mask (B or 1, 1, T, T) added to the scores."""
        batch, time, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, time, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        bias = self.distance[:, distance_index(time)]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=(mask + bias).to(q.dtype))
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, time, WIDTH)))
        return x + self.dropout(self.down(F.relu(self.up(self.norm2(x)))))


class Network(nn.Module):
    """Logits over groups of phones for each letter, given the groups of the letters before it."""

    def __init__(self, groups: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.letters, self.groups = nn.Embedding(len(LETTERS), WIDTH), nn.Embedding(groups, WIDTH)
        self.encoder = nn.ModuleList(Block(dropout) for _ in range(ENCODER))
        self.decoder = nn.ModuleList(Block(dropout) for _ in range(DECODER))
        self.middle, self.last = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.classes = nn.Linear(WIDTH, groups)
        self.dropout = nn.Dropout(dropout)

    def forward(self, letters: Tensor, groups: Tensor) -> Tensor:
        """Ids (B, T) of letters, 0 for padding, and of the groups before each -> logits (B, T, groups)."""
        padding = torch.zeros(letters.shape, dtype=torch.float32).masked_fill(letters == 0, -1e4)[:, None, None]
        future = torch.full((letters.shape[1],) * 2, -1e4).triu(1)
        x = self.dropout(self.letters(letters))
        for block in self.encoder:
            x = block(x, padding)
        x = self.middle(x) + self.dropout(self.groups(groups))
        for block in self.decoder:
            x = block(x, padding + future)
        return self.classes(self.last(x))


def encode(aligned: Aligned, ids: dict[str, int], name: bool) -> tuple[list[int], list[int]]:
    """Ids of the letters, with the signs of start and end, and of their groups."""
    word = [NAME if name else WORD, *(letter for letter, _ in aligned), ">"]
    return [LETTERS.index(c) for c in word], [ids[""], *(ids[p] for _, p in aligned), ids[""]]


def batches(words: list[Aligned], names: set[str], ids: dict[str, int], rng: random.Random, size: int) -> list[Tensor]:
    """One pass over the words in random batches of like length: letters and groups (B, T)."""
    examples = []
    for aligned in words:
        name = "".join(letter for letter, _ in aligned) in names
        if rng.random() < 0.1:
            # The first word of a sentence is a capital and no name; names are written small, too.
            name = not name
        if rng.random() < 0.2:
            changed = accented(aligned, rng)
            aligned = changed if all(p in ids for _, p in changed) else aligned
        examples.append(encode(aligned, ids, name))
    examples.sort(key=lambda example: (len(example[0]), rng.random()))
    found = []
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        longest = len(part[-1][0])
        found.append(torch.tensor([[row + [0] * (longest - len(row)) for row in example] for example in part]))
    rng.shuffle(found)
    return found


def train(
    network: Network, words: list[Aligned], names: set[str], ids: dict[str, int], args: argparse.Namespace
) -> Iterator[dict[str, Tensor]]:
    """Train in place; after each epoch the weights as an average over the last steps, which beats the last ones."""
    rng = random.Random(args.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=args.rate, betas=(0.9, 0.98), weight_decay=0.01)
    steps = args.epochs * math.ceil(len(words) / args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, steps, pct_start=0.08, final_div_factor=20)
    average = {name: value.clone() for name, value in network.state_dict().items()}
    start, count = time.time(), 0
    for epoch in range(args.epochs):
        losses = []
        for batch in batches(words, names, ids, rng, args.batch):
            letters, groups = batch[:, 0], batch[:, 1]
            before = F.pad(groups[:, :-1], (1, 0), value=0)
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(letters, before)
            target = groups.masked_fill(letters == 0, -100)
            loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            count += 1
            decay = min(0.998, count / (count + 20))
            for name, value in network.state_dict().items():
                average[name].lerp_(value, 1 - decay)
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {time.time() - start:.0f} s", flush=True)
        yield average


def save(path: Path, weights: dict[str, Tensor], groups: list[str]) -> None:
    """Matrices as int8 with a scale for each row, the rest as float16."""
    arrays: dict[str, Any] = {"groups": np.array(groups)}
    for name, value in weights.items():
        array = value.numpy()
        if array.ndim == 2 and "distance" not in name:
            scale = np.abs(array).max(axis=1, keepdims=True) / 127
            arrays[name] = np.round(array / scale).astype(np.int8)
            arrays[name + ".scale"] = scale.astype(np.float32)
        else:
            arrays[name] = array.astype(np.float16)
    np.savez_compressed(path, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the network, an .npz file")
    parser.add_argument("--words", type=Path, help="a word list in which only names have capitals (wamerican-huge)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    entries = [(w, p.split()) for w, p in plain_cmudict().items() if w.isalpha() and 1 < len(w) <= 24]
    aligned = align(entries)
    common = set(args.words.read_text(encoding="utf-8").split()) if args.words else set(aligned)
    names = {word for word in aligned if word not in common}
    counts = Counter(phones for pairs in aligned.values() for _, phones in pairs)
    groups = ["", *sorted(phones for phones, n in counts.items() if n >= 8 and phones)]
    ids = {phones: index for index, phones in enumerate(groups)}
    aligned = {word: pairs for word, pairs in aligned.items() if all(phones in ids for _, phones in pairs)}
    held_out = {word for word in aligned if zlib.crc32(word[:6].encode()) % 30 == 0}
    print(f"{len(entries)} words, {len(aligned)} aligned, {len(held_out)} held out, {len(groups)} groups of phones")
    network = Network(len(groups))
    words = [pairs for word, pairs in aligned.items() if word not in held_out]
    print(f"{sum(p.numel() for p in network.parameters())} weights", flush=True)
    check = sorted(held_out)[::4]
    for epoch, weights in enumerate(train(network, words, names, ids, args), 1):
        if epoch % 5 and epoch != args.epochs:
            continue
        save(args.out, weights, groups)
        model = LetterToSound(args.out)
        right = {False: [0, 0], True: [0, 0]}
        for word in sorted(held_out) if epoch == args.epochs else check:
            said = " ".join(model(word.capitalize() if word in names else word))
            wanted = " ".join(phones for _, phones in aligned[word] if phones)
            tally = right[word in names]
            tally[0] += 1
            tally[1] += bare(said) == bare(wanted)
        for kind, (total, n) in zip(("words", "names"), right.values()):
            print(f"held out, exact with stress apart: {100 * n / max(1, total):.1f} % of {total} {kind}", flush=True)


if __name__ == "__main__":
    main()
