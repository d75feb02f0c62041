"""Log-mel spectrogram and frame energy as a torch module, so that they are computed where the audio is."""

from __future__ import annotations

import librosa
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEL_FLOOR = 1e-10


class MelSpectrogram(nn.Module):
    """Natural-log mel spectrogram of a centred STFT magnitude, and the STFT's energy.

    Frame t is centred on sample t * hop_size; N samples give N // hop_size frames, and with `last_frame` one more,
    which is centred on the end.
    """

    basis: Tensor
    window: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int,
        win_size: int,
        hop_size: int,
        n_mel: int,
        fmin: float = 0.0,
        fmax: float | None = None,
        last_frame: bool = False,
    ) -> None:
        super().__init__()
        self.last_frame = last_frame
        self.n_fft, self.win_size, self.hop_size = n_fft, win_size, hop_size
        basis = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mel, fmin=fmin, fmax=fmax)
        self.register_buffer("basis", torch.from_numpy(basis), persistent=False)  # (n_mel, n_fft // 2 + 1)
        self.register_buffer("window", torch.hann_window(win_size), persistent=False)

    def power(self, audio: Tensor) -> Tensor:
        """Squared STFT magnitude (B, T, n_fft // 2 + 1) of audio (B, N)."""
        audio = audio.float()
        # A constant border makes very short inputs work too, where reflection would need n_fft / 2 samples.
        border = self.n_fft // 2
        padded = reflect(audio, border, border) if audio.shape[-1] > border else F.pad(audio, (border, border))
        stft = torch.stft(
            padded, self.n_fft, self.hop_size, self.win_size, self.window, center=False, return_complex=True
        )
        real = torch.view_as_real(stft)
        frames = audio.shape[-1] // self.hop_size + self.last_frame
        return real.square().sum(-1)[..., :frames].transpose(1, 2)

    def log_mel(self, power: Tensor) -> Tensor:
        """Log-mel (B, T, n_mel) of a squared magnitude (B, T, n_fft // 2 + 1)."""
        magnitude = power.clamp_min(MEL_FLOOR).sqrt()
        return (magnitude @ self.basis.t()).clamp_min(MEL_FLOOR).log()

    def energy(self, power: Tensor) -> Tensor:
        """Norm of the STFT magnitude in each frame (B, T)."""
        return power.sum(-1).clamp_min(MEL_FLOOR).sqrt()

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (B, T, n_mel) and energy (B, T) of audio (B, N) in [-1, 1]."""
        with torch.autocast(audio.device.type, enabled=False):
            power = self.power(audio)
            return self.log_mel(power), self.energy(power)


def reflect(audio: Tensor, left: int, right: int) -> Tensor:
    """Audio (B, N) with its mirror image in front and behind, the end samples themselves not repeated.

    The values are those of `torch.nn.functional.pad` in mode "reflect", whose gradient adds in varying order on a GPU;
    this one's repeats bit for bit. Raises ValueError when a side needs more than the N - 1 samples there are.
    """
    length = audio.shape[1]
    if max(left, right) >= length:
        raise ValueError(f"{length} samples cannot be reflected into {max(left, right)} more")
    front, back = audio[:, 1 : left + 1].flip(1), audio[:, length - 1 - right : length - 1].flip(1)
    return torch.cat([front, audio, back], 1)
