"""What turns sound into embeddings: `embed(audio float32 [S] at 16 kHz) -> float32 [T, E]`, found by a name, a path or an import."""

import hashlib
import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mt3_synth.errors import InputError
from mt3_synth.evaluation import logmel_stats

LOGMEL_STATS = 'logmel_stats'
ENTRY_POINTS = 'mt3_synth.embedders'  # the group in which a package names its embedders
SAVED_MODELS = {  # where to get those that are loaded from a path
  'vggish': 'https://www.kaggle.com/models/google/vggish (TF 2, version 1)',
  'trill': 'https://www.kaggle.com/models/google/nonsemantic-speech-benchmark (TF 2, trill, version 3)',
}


@dataclass(frozen=True, eq=False)
class Embedder:
  """An embedder, and what a report says of it.

  Attributes:
    name: under which its values stand.
    hash: of its definition or its files: values of different hashes do not compare.
    embed: float32 [S] at 16 kHz -> [T, E]; T is 0 where the sound is shorter than a window.
  """

  name: str
  hash: str
  embed: Callable[[np.ndarray], Any]

  def __call__(self, audio: np.ndarray) -> np.ndarray:
    """Raises InputError: what came is no float [T, E], or not finite."""
    found = np.asarray(self.embed(np.asarray(audio, np.float32)), np.float32)
    if found.ndim != 2 or not found.shape[1]:
      raise InputError(f'embedder {self.name}: gave shape {list(found.shape)}, expected [windows, dimensions]')
    if not np.isfinite(found).all():
      raise InputError(f'embedder {self.name}: {int((~np.isfinite(found)).sum())} values are NaN or infinite')
    return found


def choose_embedder(spec: str) -> Embedder:
  """An embedder by what a user writes.

  Args:
    spec: `logmel_stats`; `vggish=PATH` or `trill=PATH`, the folder of a SavedModel; `MODULE:OBJECT` or `NAME=MODULE:OBJECT`, a Python
      object that is called with the sound (a class is called once, without arguments, to get it); or a name that an installed package has
      registered in the entry points `mt3_synth.embedders`.

  Raises:
    InputError: there is no such embedder, or it can't be loaded.
  """
  name, _, where = spec.partition('=')
  if spec == LOGMEL_STATS:
    return Embedder(LOGMEL_STATS, logmel_stats.HASH, logmel_stats.embed)
  if name in SAVED_MODELS:
    if not where:
      raise InputError(f'embedder {name}: needs a path; fetch the SavedModel of {SAVED_MODELS[name]} and give {name}=FOLDER')
    from mt3_synth.evaluation.saved_model_embedder import load_saved_model

    return Embedder(name, hash_folder(Path(where).expanduser()), load_saved_model(name, Path(where).expanduser(), SAVED_MODELS[name]))
  if ':' in (where or spec):
    module, _, attribute = (where or spec).partition(':')
    return _python_object(name if where else attribute.rpartition('.')[2], module, attribute)
  if not where:
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=spec):
      return _python_object(spec, entry.module, entry.attr)
  registered = (entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS))
  known = sorted({LOGMEL_STATS, *(f'{each}=FOLDER' for each in SAVED_MODELS), *registered})
  raise InputError(f'no embedder {spec!r}; there are {", ".join(known)} and MODULE:OBJECT')


def _python_object(name: str, module: str, attribute: str) -> Embedder:
  where = f'embedder {name}'
  try:
    found: Any = importlib.import_module(module)
    for part in attribute.split('.'):
      found = getattr(found, part)
    found = found() if isinstance(found, type) else found
  except (ImportError, AttributeError) as e:
    hint = 'is its package installed, or its folder in PYTHONPATH?'
    raise InputError(f'{where}: {module}:{attribute} can not be imported ({e}); {hint}') from None
  except Exception as e:  # a stranger's code
    raise InputError(f'{where}: {module}:{attribute} can not be made ({type(e).__name__}: {e})') from None
  if not callable(found):
    raise InputError(f'{where}: {module}:{attribute} is {type(found).__name__}, expected what can be called with a sound')
  return Embedder(name, str(getattr(found, 'hash', None) or _hash_source(found)), found)


def _hash_source(found: Any) -> str:
  """Of the file that defines an object; empty where that can't be found."""
  try:
    file = inspect.getsourcefile(found if inspect.isroutine(found) else type(found))
    return hashlib.sha256(Path(file or '').read_bytes()).hexdigest()[:16]
  except (TypeError, OSError):
    return ''


def hash_folder(folder: Path) -> str:
  """Of the names and contents of all files in a folder."""
  digest = hashlib.sha256()
  for file in sorted(path for path in folder.rglob('*') if path.is_file()):
    digest.update(f'{file.relative_to(folder).as_posix()}\0'.encode())
    with file.open('rb') as stream:
      digest.update(hashlib.file_digest(stream, 'sha256').digest())
  return digest.hexdigest()[:16]
