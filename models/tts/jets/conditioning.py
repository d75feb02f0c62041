"""Who speaks, and in which language: what a voice of several adds to its states.

On the encoder's output it is as in ESPnet's JETS (`spks`, `langs`, `spk_embed_dim`), so that its checkpoints fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tts.jets.config import JetsModelConfig

# Deviation of new embeddings: small against the states, whose deviation is 1, so that a trained voice can learn more.
EMBEDDING_STD = 0.3


@dataclass(frozen=True)
class Roles:
    """Who speaks the utterances of a batch, and in which language; None: the first speaker and language there is."""

    speakers: Tensor | None = None  # (B,) numbers, or (B, speakers) shares of mixed ones
    languages: Tensor | None = None  # (B, T_text), or (B,)
    vectors: Tensor | None = None  # (B, spk_embed_dim) of any length


UNNAMED = Roles()


@dataclass
class Encoded:
    """What all that follows the encoder sees of a text."""

    hidden: Tensor  # (B, T_text, C) zero in padding
    speaker: Tensor | None = None  # (B, 1, S) who speaks, for those parts that are told again

    def leaf(self) -> Encoded:
        """The same, with gradients of its own."""
        parts = (self.hidden, self.speaker)
        return Encoded(*(None if part is None else part.detach().requires_grad_() for part in parts))  # type: ignore[arg-type]

    def backward(self, leaves: Sequence[Encoded]) -> None:
        """Pass on the gradients of its leaves."""
        outputs, gradients = [], []
        for name in ("hidden", "speaker"):
            parts = [part for leaf in leaves if (part := getattr(leaf, name)) is not None]
            found = [part.grad for part in parts if part.grad is not None]
            output = getattr(self, name)
            if found and output.requires_grad:
                outputs.append(output)
                gradients.append(found[0] if len(found) == 1 else found[0] + found[1])
        torch.autograd.backward(outputs, gradients)


class Film(nn.Module):
    """Scales and shifts channels by what conditions them (arXiv 1709.07871); before training it changes nothing."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(condition, 2 * channels)
        self.reset()

    def reset(self) -> None:
        """Change nothing."""
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Change x (B, T, C) by condition (B, 1, S)."""
        scale, shift = self.linear(condition).float().chunk(2, -1)
        return x * (1 + scale) + shift


def condition_size(model: JetsModelConfig) -> int:
    """Width of what tells who speaks; 0: a voice of one speaker."""
    return (model.hidden_channels if model.several_speakers else 0) + (model.spk_embed_dim or 0)


class Conditioning(nn.Module):
    """Embeddings of speakers and languages, and where they go; `model` says how many there are."""

    speaker_statistics: Tensor | None

    def __init__(self, model: JetsModelConfig, statistics: int) -> None:
        """Build with random embeddings; a row of so many `statistics` is kept for each speaker, if that is wanted."""
        super().__init__()
        channels, size = model.hidden_channels, model.spk_embed_dim
        self.at_encoder = "encoder" in model.speaker_in
        self.concat = model.spk_embed_integration_type == "concat"
        self.speakers = nn.Embedding(model.spks or 0, channels) if model.several_speakers else None
        several, places = model.several_languages, model.language_in
        self.languages = nn.Embedding(model.langs or 0, channels) if several and "encoder" in places else None
        self.token_languages = nn.Embedding(model.langs or 0, channels) if several and "tokens" in places else None
        self.projection = None
        if size and self.at_encoder:
            self.projection = nn.Linear(channels + size if self.concat else size, channels)
        self.vector_size = size or 0
        for table in (self.speakers, self.languages, self.token_languages):
            if table is not None:
                nn.init.normal_(table.weight, std=EMBEDDING_STD)
        own = model.several_speakers and model.normalise_per_speaker
        rows = torch.tensor([0.0, 1.0]).repeat(model.spks or 0, statistics // 2) if own else None
        self.register_buffer("speaker_statistics", rows)

    def before_encoder(self, embedded: Tensor, roles: Roles) -> Tensor:
        """Embedded tokens (B, T_text, C) with their languages."""
        if self.token_languages is None:
            return embedded
        return embedded + _spoken(self.token_languages, roles.languages)

    def forward(self, hidden: Tensor, text_mask: Tensor, roles: Roles) -> Encoded:
        """Encoder states (B, T_text, C) inside mask (B, T_text) with who speaks in which language."""
        parts = []
        if self.speakers is not None:
            who = roles.speakers
            chosen = chosen_rows(self.speakers.weight, hidden.new_zeros(len(hidden)).long() if who is None else who)
            parts.append(chosen.unsqueeze(1))
            hidden = hidden + parts[0] if self.at_encoder else hidden
        if self.languages is not None:
            hidden = hidden + _spoken(self.languages, roles.languages)
        if self.vector_size:
            given = hidden.new_zeros(len(hidden), self.vector_size) if roles.vectors is None else roles.vectors
            parts.append(F.normalize(given).unsqueeze(1))
            if self.projection is not None and self.concat:
                whole = torch.cat([hidden, parts[-1].expand(-1, hidden.shape[1], -1)], dim=-1)
                hidden = self.projection(whole).float()
            elif self.projection is not None:
                hidden = hidden + self.projection(parts[-1])
        hidden = hidden * text_mask.unsqueeze(-1).to(hidden.dtype)
        return Encoded(hidden, torch.cat(parts, dim=-1) if parts else None)


def chosen_rows(table: Tensor, who: Tensor) -> Tensor:
    """Rows (B, N) of a table (speakers, N): those of numbers (B,), or mixed by shares (B, speakers)."""
    return who.to(table.dtype) @ table if who.dim() == 2 else F.embedding(who, table)


def _spoken(table: nn.Embedding, languages: Tensor | None) -> Tensor:
    """Embedded languages (B, T_text, C) of tokens, or (B, 1, C) of whole utterances; None: the first one."""
    if languages is None:
        return table.weight[:1].unsqueeze(0)
    chosen = table(languages)
    return chosen.unsqueeze(1) if languages.dim() == 1 else chosen
