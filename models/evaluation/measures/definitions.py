"""What each reported figure is: its name, unit, good direction, definition and source, said once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """One column of the report.

    `better` says which way is good ("one": close to 1; "recording": close to the recordings' figure). `ratio` measures
    are sums over sums, all others means over utterances. `recording` is true where the recordings have one as well.
    """

    key: str
    label: str
    unit: str
    better: Literal["lower", "higher", "one", "recording"]
    group: str
    decimals: int
    definition: str
    ratio: bool = False
    recording: bool = False
    scale: float = 1.0  # shown = stored * scale

    def to_json(self) -> dict[str, object]:
        """All fields but the key."""
        fields = asdict(self)
        del fields["key"]
        return fields


_HEARD = "What people hear"
_AGAINST = "Against the recording"
_COPY = "Copy synthesis: what the waveform part alone loses"
_HEALTH = "Health of the alignment"

# A table: a row for each measure.
# fmt: off
_MEASURES = (
    Measure(
        "wer", "WER", "%", "lower", _HEARD, 1,
        "Word error rate: words replaced, missing or extra in what the recogniser heard, over the words of the text, "
        "both normalised by Whisper's rules.",
        ratio=True, recording=True, scale=100,
    ),
    Measure(
        "cer", "CER", "%", "lower", _HEARD, 1, "Character error rate: the same with characters, spaces included.",
        ratio=True, recording=True, scale=100,
    ),
    Measure(
        "dnsmos_ovrl", "DNSMOS overall", "1-5", "higher", _HEARD, 2,
        "Overall quality as DNSMOS P.835 predicts it (arXiv 2110.01763). Favours clean synthesis over real rooms.",
        recording=True,
    ),
    Measure(
        "dnsmos_sig", "DNSMOS speech", "1-5", "higher", _HEARD, 2, "Quality of the speech itself, DNSMOS P.835.",
        recording=True,
    ),
    Measure(
        "dnsmos_bak", "DNSMOS background", "1-5", "higher", _HEARD, 2, "How little background there is, DNSMOS P.835.",
        recording=True,
    ),
    Measure(
        "dnsmos_p808", "DNSMOS P.808", "1-5", "higher", _HEARD, 2,
        "Quality as DNSMOS P.808 predicts it (arXiv 2010.15258); does not depend on the level.",
        recording=True,
    ),
    Measure(
        "characters_per_second", "Speaking rate", "char/s", "recording", _HEARD, 1,
        "Characters of text over seconds of speech, silent ends left out.",
        ratio=True, recording=True,
    ),
    Measure(
        "pitch_range", "Pitch range", "semitones", "recording", _HEARD, 2,
        "Standard deviation of F0 within an utterance: below the recordings' means monotonous.",
        recording=True,
    ),
    Measure(
        "mcd", "MCD", "dB", "lower", _AGAINST, 2,
        "Mel-cepstral distortion: 10/ln 10 * sqrt(2 * sum of squared differences of mel-cepstra c1-c34), averaged over "
        "the path of dynamic time warping. A second take by the same speaker has about 4 dB.",
    ),
    Measure(
        "log_f0_rmse", "log F0 RMSE", "", "lower", _AGAINST, 3,
        "Root mean square difference of ln F0 where both are voiced, along the same path; 0.058 is a semitone.",
    ),
    Measure(
        "log_f0_correlation", "log F0 correlation", "", "higher", _AGAINST, 2,
        "Pearson's correlation of ln F0 where both are voiced: whether the melody rises and falls in the same places.",
    ),
    Measure(
        "voicing_error", "Voicing error", "%", "lower", _AGAINST, 1,
        "Share of the path where one is voiced and the other is not.", scale=100,
    ),
    Measure(
        "energy_correlation", "Energy correlation", "", "higher", _AGAINST, 2,
        "Pearson's correlation of frame levels in dB along the path.",
    ),
    Measure(
        "duration_ratio", "Duration ratio", "", "one", _AGAINST, 3,
        "Seconds of synthesised speech over seconds of recorded speech, silent ends left out.", ratio=True,
    ),
    Measure(
        "copy_stft_distance", "Copy: STFT distance", "", "lower", _COPY, 3,
        "Multi-resolution STFT distance (arXiv 1910.11480): spectral convergence plus log magnitude.",
    ),
    Measure(
        "copy_stft_convergence", "Copy: Spectral convergence", "", "lower", _COPY, 3,
        "Norm of the difference of STFT magnitudes over the norm of the recording's, mean of three resolutions.",
    ),
    Measure(
        "copy_stft_log_magnitude", "Copy: Log magnitude", "", "lower", _COPY, 3,
        "Mean absolute difference of log STFT magnitudes, mean of three resolutions.",
    ),
    Measure(
        "copy_mcd", "Copy: MCD", "dB", "lower", _COPY, 2, "Mel-cepstral distortion of copy synthesis, frame by frame.",
    ),
    Measure(
        "copy_log_f0_rmse", "Copy: log F0 RMSE", "", "lower", _COPY, 3, "Of copy synthesis, frame by frame.",
    ),
    Measure(
        "copy_voicing_error", "Copy: Voicing error", "%", "lower", _COPY, 1, "Of copy synthesis, frame by frame.",
        scale=100,
    ),
    Measure(
        "diagonality", "Diagonality", "", "higher", _HEALTH, 3,
        "Correlation of time with the token that the alignment expects: 1 is a straight line, 0 no alignment.",
    ),
    Measure(
        "sharpness", "Sharpness", "", "higher", _HEALTH, 3,
        "Largest probability of a frame's alignment, mean over frames: 1 when each frame belongs to one token.",
    ),
    Measure(
        "path_probability", "Path probability", "", "higher", _HEALTH, 3,
        "Geometric mean of the probability along the chosen path; far below the sharpness where the two disagree.",
    ),
    Measure(
        "zero_durations", "Tokens without a frame", "%", "lower", _HEALTH, 2,
        "Share of the synthesis' tokens, pauses aside, that got no frame: they are not spoken.", scale=100,
    ),
    Measure(
        "long_durations", "Overlong tokens", "%", "lower", _HEALTH, 2,
        "Share of the synthesis' tokens, pauses aside, above 0.6 s.", scale=100,
    ),
)
# fmt: on

MEASURES: dict[str, Measure] = {measure.key: measure for measure in _MEASURES}
