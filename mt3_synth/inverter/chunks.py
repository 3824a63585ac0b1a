"""Streaming for inverters that are networks of convolutions: chunks that see beyond their edges, so that no seam is heard or measured."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.inverter import check_mel


def in_chunks(
  mels: Iterable, invert: Callable[[np.ndarray], np.ndarray], frames: int, reach: int, hop: int, bands: int
) -> Iterator[np.ndarray]:
  """The sound of parts [B, T_i, D] that follow one another; see `Inverter.stream`.

  The rule: a sample may depend on frames up to `reach` before and after its own.  Then each chunk, inverted with `reach` frames of what
  lies on either side and cut back to itself, is what the whole would give there, but for rounding.  An inverter that reaches further, or
  that normalises over the whole piece, differs from the whole near the seams.

  Args:
    mels: log-mel parts.
    invert: one row [T, D] -> [T hop].  Rows go one by one, so that none depends on another and memory does not grow with B.
    frames: of a chunk, without its sides.
    reach: frames.
    hop: samples a frame.
    bands: D.

  Raises:
    InputError: see `check_mel`.
  """
  waiting, before = None, 0  # frames not yet played, after `before` frames that only lend their sight
  for mel in mels:
    mel = check_mel(mel, bands)
    waiting = mel if waiting is None else np.concatenate([waiting, mel], axis=1)
    while waiting.shape[1] >= before + frames + reach + 1:  # more than its right side follows, so the last chunk is never empty
      sound = _inverted(waiting[:, : before + frames + reach], invert, hop)
      yield sound[:, before * hop : (before + frames) * hop]
      kept = min(reach, before + frames)
      waiting, before = waiting[:, before + frames - kept :], kept
  if waiting is not None:
    yield _inverted(waiting, invert, hop)[:, before * hop :]


def _inverted(mel: np.ndarray, invert: Callable[[np.ndarray], np.ndarray], hop: int) -> np.ndarray:
  rows = []
  for row in mel:
    sound = np.asarray(invert(row), np.float32)
    if sound.size != len(row) * hop:
      raise InputError(f'the inverter made {sound.size} samples of {len(row)} frames, expected {hop} each; it is of another configuration')
    rows.append(sound.reshape(-1))
  return np.stack(rows)
