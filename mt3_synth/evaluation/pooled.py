"""Measures of all songs of an evaluation together, from their records: means over songs, and distances between distributions."""

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.errors import InputError, InputWarning
from mt3_synth.evaluation.frechet import frechet_at_infinity, frechet_of_moments, moments_of_parts
from mt3_synth.evaluation.kernel_distance import MOST_WINDOWS, kernel_sums
from mt3_synth.evaluation.records import SYSTEMS, SongResult, System, read_embeddings

TIMES = ('spectrogram', 'inverter')


def pool(folder: str | Path, results: Sequence[SongResult], embedders: Sequence[str], infinite: bool = False) -> dict[str, Any]:
  """Values by system and what they rest on.

  Args:
    folder: of the evaluation.
    results: of its songs; those that failed are left out.
    embedders: names.
    infinite: also give Fréchet distances as they would be of endless sets; all embeddings are then in memory at once.

  Returns:
    {'songs', 'failed', 'seconds', 'systems': {system: {key: value}}, 'windows': {embedder: {'n', 'dimensions', 'few', 'reference'}},
    'speed': {part: seconds of work a second of audio}}.  `few` where there are fewer windows than dimensions, and Fréchet distances say
    little; `reference` is a hash of the recordings' embeddings: distances from others do not compare.
  """
  done = [result for result in results if result.status == 'ok']
  seconds = sum(result.seconds for result in done)
  systems: dict[str, dict[str, float]] = {system: mean_over_songs(done, system) for system in SYSTEMS}
  windows = {}
  for embedder in embedders:
    try:
      of_system, windows[embedder] = _distances(Path(folder), done, embedder, infinite)
    except InputError as e:
      warnings.warn(f'{embedder}: no distance of all songs ({e})', InputWarning, stacklevel=2)
      continue
    for system, values in of_system.items():
      systems[system] |= values
  speed = {part: sum(result.time.get(part) or 0 for result in done) / max(seconds, 1e-9) for part in TIMES}
  failed = len(results) - len(done)
  return {'songs': len(done), 'failed': failed, 'seconds': seconds, 'systems': systems, 'windows': windows, 'speed': speed}


def mean_over_songs(results: Sequence[SongResult], system: System) -> dict[str, float]:
  """The unweighted mean of each metric over the songs that have it."""
  keys = dict.fromkeys(key for result in results for key in result.systems[system]['metrics'])
  values = {key: [value for result in results if not np.isnan(value := result.metrics(system).get(key, np.nan))] for key in keys}
  return {key: float(np.mean(each)) if each else float('nan') for key, each in values.items()}


def reference_hash(embeddings: Iterable[np.ndarray]) -> str:
  """Of the recordings' embeddings [n, E], song by song."""
  digest = hashlib.sha256()
  for rows in embeddings:
    digest.update(rows.tobytes())
  return digest.hexdigest()[:16]


def _distances(folder: Path, done: Sequence[SongResult], embedder: str, infinite: bool) -> tuple[dict[str, dict[str, float]], dict]:
  """Fréchet and kernel distances of each system from the recordings, and how many windows they rest on."""
  embeddings = lambda system: _embeddings(folder, done, f'{system}/{embedder}')
  reference = moments_of_parts(embeddings('target'))
  dimensions, digest = len(reference.mean), reference_hash(embeddings('target'))
  found: dict[str, dict[str, float]] = {}
  for system in SYSTEMS[:2]:
    moments = moments_of_parts(embeddings(system))
    values = found[system] = {f'{embedder}_frechet': frechet_of_moments(reference, moments)}
    values[f'{embedder}_frechet_paper'] = frechet_of_moments(reference, moments, 'paper')
    stride = -(-int(max(reference.n, moments.n)) // MOST_WINDOWS)  # so that memory does not grow with the songs
    thinned = [[rows[::stride].copy() for rows in embeddings(each)] for each in ('target', system)]
    values[f'{embedder}_kad'] = kernel_sums(*thinned).distance()
    if infinite:
      of_all = lambda each: np.concatenate(list(embeddings(each)))
      values[f'{embedder}_frechet_infinite'] = frechet_at_infinity(of_all('target'), of_all(system))
  told = {'n': int(reference.n), 'dimensions': dimensions, 'few': reference.n < dimensions, 'reference': digest}
  return found, told


def _embeddings(folder: Path, done: Sequence[SongResult], name: str) -> Iterator[np.ndarray]:
  for result in done:
    yield read_embeddings(folder, result.song)[name]
