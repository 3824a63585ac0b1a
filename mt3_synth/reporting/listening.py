"""A blind listening test: excerpts under names that tell nothing, a page to rate them, and the key that tells what they were.

After ITU-R BS.1534-3 (MUSHRA): a reference that is open and, among the sounds to be rated, hidden; a low anchor; one scale from 0 to 100.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.audio.files import SAMPLE_RATE, read_audio, write_audio
from mt3_synth.errors import InputError
from mt3_synth.pages.assemble import as_script, escaped, fill, page_text, write_whole
from mt3_synth.reporting.media import Shown

ANCHOR = 'low anchor'
ANCHOR_HZ = 3500.0
FADE = 0.01  # seconds, at both ends: a cut clicks
_LOUDEST = 0.95  # peak, of full scale
_TAPS = 257  # of the anchor's filter

SCRIPTS = ('dom.js', 'theme.js', 'player.js', 'listening/trial.js', 'listening/listening.js')
STYLES = ('theme.css', 'controls.css', 'listening/listening.css')


@dataclass(frozen=True)
class Key:
  """What a test's sounds are; kept from who listens.

  Attributes:
    test: its id; ratings have the same.
    reference: the name of the system that is the hidden reference.
    trials: trial -> {'song', 'start', 'seconds', 'reference': id, 'stimuli': {id: system}}.
  """

  test: str
  reference: str
  trials: dict[str, dict[str, Any]]


def write_test(
  out: Path, report: Path, shown: Mapping[str, Shown], reference: str, title: str, *, songs: int, seconds: float, seed: int
) -> tuple[Path, Key]:
  """Writes DIR/index.html and DIR/audio, and the key beside the folder.

  Args:
    out: the folder that listeners are given.
    report: the folder of the report, which holds the sounds.
    shown: the report's songs.
    reference: the system of the recordings.
    title: of the page; it must not tell what is compared.
    songs: how many of them, evenly spread over those shown.
    seconds: of an excerpt.
    seed: of excerpts and of the sounds' names.

  Returns:
    the key's file, and the key.

  Raises:
    InputError: the folder is there already, can't be written, or there is nothing to compare.
  """
  usable = {song: each for song, each in shown.items() if len(each.audio) > 1 and reference in each.audio}
  if not usable:
    raise InputError(f'{report}: no song has sound of {reference!r} and of a system beside it; make the report with --songs 1 or more')
  if out.exists() and any(out.iterdir()):
    raise InputError(f'{out}: is not empty; give a new folder, ratings of another test would not fit its sounds')
  rng = np.random.default_rng(seed)
  names = list(usable)
  chosen = [names[k] for k in np.unique(np.linspace(0, len(names) - 1, min(songs, len(names))).round().astype(int))]
  test = rng.bytes(4).hex()
  try:
    (out / 'audio').mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise InputError(f'{out}: {e.strerror}; give a folder that can be written') from None
  trials = {f'trial {k + 1}': _trial(out, report, song, usable[song], reference, seconds, rng) for k, song in enumerate(chosen)}
  key = Key(test, reference, trials)
  write_whole(out / 'index.html', _page(title, key))
  path = out.with_name(f'{out.name}.key.json')
  created = datetime.now(UTC).isoformat(timespec='seconds')
  write_whole(path, json.dumps(vars(key) | {'report': str(report), 'created': created, 'seed': seed}, indent=1) + '\n')
  return path, key


def read_key(path: Path) -> Key:
  """Raises InputError: the file is missing or no key of a test."""
  try:
    told = json.loads(path.read_text(encoding='utf-8'))
    return Key(str(told['test']), str(told['reference']), dict(told['trials']))
  except OSError as e:
    raise InputError(f'{path}: {e.strerror}; expected the .key.json that `mt3-synth listen` wrote beside its folder') from None
  except (ValueError, KeyError, TypeError):
    raise InputError(f'{path}: is no key; expected the .key.json that `mt3-synth listen` wrote beside its folder') from None


def _page(title: str, key: Key) -> str:
  trials = [
    {'id': name, 'reference': trial['reference'], 'seconds': trial['seconds'], 'stimuli': sorted(trial['stimuli'])}
    for name, trial in key.trials.items()
  ]
  data = {'test': key.test, 'title': title, 'trials': trials}
  parts = {'title': escaped(title), 'style': page_text(*STYLES), 'data': as_script(data), 'script': page_text(*SCRIPTS)}
  return fill(page_text('listening/listening.html'), parts)


def _trial(out: Path, report: Path, song: str, shown: Shown, reference: str, seconds: float, rng: np.random.Generator) -> dict[str, Any]:
  """Writes the sounds of one song: each system's, the anchor's, and the open reference under a name of its own."""
  sounds = {name: read_audio(report / file) for name, file in shown.audio.items()}
  start = _start(sounds[reference], seconds, rng)
  span = slice(round(start * SAMPLE_RATE), round((start + seconds) * SAMPLE_RATE))
  length = len(sounds[reference][span])
  excerpts = {name: np.pad(sound[span], (0, max(0, length - len(sound[span])))) for name, sound in sounds.items()}
  excerpts[ANCHOR] = low_pass(excerpts[reference], ANCHOR_HZ)
  excerpts = _levelled(excerpts, reference)
  ids = {name: rng.bytes(6).hex() for name in [*excerpts, '']}  # '' is the open reference
  for name, each in sorted(ids.items(), key=lambda item: item[1]):  # nor does the order in which files were written tell
    write_audio(out / 'audio' / f'{each}.flac', _faded(excerpts[name or reference]))
  stimuli = {each: name for name, each in ids.items() if name}
  return {'song': song, 'start': start, 'seconds': length / SAMPLE_RATE, 'reference': ids[''], 'stimuli': dict(sorted(stimuli.items()))}


def _start(reference: np.ndarray, seconds: float, rng: np.random.Generator) -> float:
  """Where an excerpt begins [s]: anywhere that is not softer than half of the song."""
  last = len(reference) / SAMPLE_RATE - seconds
  if last <= 0:
    return 0.0
  starts = np.arange(0, last, 0.5)
  energy = np.concatenate([[0.0], np.cumsum(np.square(reference, dtype=np.float64))])
  at = (starts * SAMPLE_RATE).astype(int)
  loud = energy[at + int(seconds * SAMPLE_RATE)] - energy[at]
  return float(rng.choice(starts[loud >= np.median(loud)]))


def low_pass(sound: np.ndarray, hertz: float) -> np.ndarray:
  """`sound` [S] without what is above `hertz`: a windowed sinc, 60 dB down within 250 Hz."""
  times = np.arange(_TAPS) - _TAPS // 2
  taps = np.sinc(2 * hertz / SAMPLE_RATE * times) * np.kaiser(_TAPS, 6)
  return np.convolve(sound, taps / taps.sum(), 'same').astype(np.float32)


def _levelled(sounds: Mapping[str, np.ndarray], reference: str) -> dict[str, np.ndarray]:
  """All sounds as loud as the reference (root mean square), softer together where one would clip: it is not loudness that is rated."""
  level = lambda sound: float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
  gains = {name: level(sounds[reference]) / level(sound) if level(sound) > 1e-4 else 1.0 for name, sound in sounds.items()}
  peak = max(float(np.abs(gains[name] * sound).max(initial=0)) for name, sound in sounds.items())
  common = min(1.0, _LOUDEST / max(peak, 1e-9))
  return {name: (common * gains[name] * sound).astype(np.float32) for name, sound in sounds.items()}


def _faded(sound: np.ndarray) -> np.ndarray:
  count = min(round(FADE * SAMPLE_RATE), len(sound) // 2)
  ramp = np.linspace(0, 1, count, dtype=np.float32)
  faded = sound.copy()
  faded[:count] *= ramp
  faded[len(faded) - count :] *= ramp[::-1]
  return faded


def systems_of(key: Key) -> Sequence[str]:
  """All systems that a test compares, the anchor too."""
  return list(dict.fromkeys(name for trial in key.trials.values() for name in trial['stimuli'].values()))
