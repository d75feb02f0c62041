"""Prosody from a distribution: log duration, log F0 and energy of all tokens, drawn together.

Conditional flow matching (arXiv 2210.02747; for prosody arXiv 2406.05401): a network learns the velocity with which
noise becomes a reading of the text. It sees encoder states without a gradient to them: it can join any trained voice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.tts.jets.config import ProsodyConfig
from models.tts.jets.transformer import Transformer

# Mean and deviation of log(duration + 1), about: the flow wants values of the size of its noise.
LOG_DURATION = (1.65, 0.4)
TIME_CHANNELS = 32
# A prime, of which the noise is made: the square of what is below it fits into int64.
PRIME = 2**31 - 1
ROUNDS = (1_013_904_223, 362_437, 1_640_531_527, 88_675_123)  # any numbers


class ProsodyFlow(nn.Module):
    """Draws (log duration, normalised log F0, normalised energy) of each token, given the encoder states."""

    frequency: Tensor
    spread: Tensor

    def __init__(self, in_channels: int, config: ProsodyConfig, condition: int = 0) -> None:
        """`condition` is the width of what tells it who speaks; 0: nobody does."""
        super().__init__()
        self.steps = config.steps
        self.context = nn.Linear(in_channels, config.channels)
        self.dropout = nn.Dropout(config.context_dropout)
        self.values = nn.Linear(3, config.channels)
        self.body = Transformer(config.channels, config, TIME_CHANNELS + condition)
        self.out = nn.Linear(config.channels, 3)
        frequency = math.pi * torch.arange(1, TIME_CHANNELS // 2 + 1).float()
        self.register_buffer("frequency", frequency, persistent=False)
        self.register_buffer("spread", torch.tensor(config.spread), persistent=False)

    def forward(self, x: Tensor, time: Tensor, context: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        """Velocity (B, T_text, 3) of x (B, T_text, 3) at time (B, 1, 1) in [0, 1], context (B, T_text, C)."""
        angle = time * self.frequency
        told = [angle.sin(), angle.cos(), *([] if speaker is None else [speaker.float()])]
        return self.out(self.body(context + self.values(x), mask, torch.cat(told, -1))).float()

    def velocities(
        self, hidden: Tensor, speaker: Tensor | None, values: tuple[Tensor, Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Velocities (B, T_text, 3), guessed and wanted, on the way from random noise to what was spoken.

        hidden (B, T_text, C), speaker (B, 1, S), mask (B, T_text); values are the recordings' durations in frames, log
        F0 and energy, each (B, T_text). No gradient reaches any of them.
        """
        durations, log_f0, energy = values
        # Anything that is rounded to the duration is as likely.
        log_durations = torch.log(durations + 0.5 + torch.rand_like(log_f0))
        log_durations = (log_durations - LOG_DURATION[0]) / LOG_DURATION[1]
        spoken = torch.stack([log_durations, log_f0, energy], -1)
        noise, time = torch.randn_like(spoken), torch.rand_like(spoken[:, :1, :1])
        speaker = None if speaker is None else speaker.detach()
        context = self.context(self.dropout(hidden.detach()))
        return self(noise + time * (spoken - noise), time, context, mask, speaker), spoken - noise

    def draw(
        self, hidden: Tensor, speaker: Tensor | None, text: Tensor, mask: Tensor, temperature: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log(duration + 1), log F0 and energy, each (B, T_text), zero in padding, for token ids (B, T_text).

        temperature () or (B, 1, 1) times the usual deviation of the noise; seed () int64 in [0, 2^31 - 2].
        """
        keep = mask.unsqueeze(-1).to(hidden.dtype)
        x, context = noise_of(text, mask, seed) * self.spread * temperature, self.context(hidden)
        for step in range(self.steps):  # by the midpoint rule: Euler's draws vary too little
            begin, middle = (torch.full_like(hidden[:, :1, :1], (step + part) / self.steps) for part in (0.0, 0.5))
            half = x + self(x, begin, context, mask, speaker) * (0.5 / self.steps)
            x = x + self(half, middle, context, mask, speaker) / self.steps
        log_durations, log_f0, energy = (x * keep).unbind(-1)
        return (log_durations * LOG_DURATION[1] + LOG_DURATION[0]) * mask, log_f0, energy


def noise_of(text: Tensor, mask: Tensor, seed: Tensor) -> Tensor:
    """Normal noise (B, T_text, 3) for token ids (B, T_text) inside mask: the same for each text and seed anywhere.

    Alone, in a batch, on any device and in an exported graph, where no generator of random numbers would agree.
    """
    place = torch.arange(1, text.shape[1] + 1, device=text.device)
    read = (scrambled(text + place * 65_537) * mask).sum(1, keepdim=True)
    number = scrambled(scrambled(read) + seed).unsqueeze(-1)
    draws = scrambled(number + place[None, :, None] * 8 + torch.arange(6, device=text.device))
    uniform = (draws + 1).float() / (PRIME + 1)
    first, second = uniform.split(3, -1)
    return (-2 * first.log()).sqrt() * (2 * math.pi * second).cos()


def scrambled(x: Tensor) -> Tensor:
    """Whole numbers x >= 0 as others below PRIME, without visible order: rounds of x^5, which permutes them."""
    for constant in ROUNDS:
        x = (x + constant) % PRIME
        square = x * x % PRIME  # no powers: in a graph they go through floating point
        x = square * square % PRIME * x % PRIME
    return x
