"""Notes as plain tones: to hear where a transcription says that notes are."""

import numpy as np

from mt3_synth.audio.files import SAMPLE_RATE
from mt3_synth.notes import Notes

_PARTIALS = (1.0, 0.5, 0.25)
_FADE = 0.01  # seconds at both ends of a tone
_HIT = 0.03  # seconds of noise for a drum


def sonify(notes: Notes, seconds: float, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
  """Each note as a tone of its pitch, louder where struck harder; drums as short noise.

  Args:
    notes: with times in seconds; those outside [0, seconds) are cut.
    seconds: length of the sound.
    sample_rate: in Hz.

  Returns:
    float32 [S], at most 0.5 loud.
  """
  sound = np.zeros(round(seconds * sample_rate), np.float32)
  noise = np.random.default_rng(0)
  for row in range(len(notes)):
    drum = bool(notes.is_drum[row])
    start, end = notes.onset[row], notes.onset[row] + _HIT if drum else notes.offset[row]
    first, last = max(round(start * sample_rate), 0), min(round(end * sample_rate), len(sound))
    if first >= last:
      continue
    time = np.arange(last - first) / sample_rate
    if drum:
      tone = noise.normal(size=len(time)) * 0.3
    else:
      hertz = 440 * 2 ** ((notes.pitch[row] - 69) / 12)
      audible = [(weight, k) for k, weight in enumerate(_PARTIALS, 1) if k * hertz < sample_rate / 2]
      tone = sum(weight * np.sin(2 * np.pi * k * hertz * time) for weight, k in audible) * np.exp(-time)
    fade = np.minimum(1, np.minimum(time, time[::-1]) / _FADE)
    sound[first:last] += notes.velocity[row] / 127 * fade * tone
  return sound * (0.5 / max(float(np.abs(sound).max(initial=0)), 1e-9))
