"""Reading a run's configuration from gin files: the only place that knows gin."""

import dataclasses
import difflib
import os
import tokenize
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gin

from mt3_synth import config as model_config
from mt3_synth.config import from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.sweeping import config as sweep_config
from mt3_synth.training import config as training_config

Config = TypeVar('Config')
_CONFIGURABLES = {
  cls.__name__: cls
  for module in (model_config, training_config, sweep_config)
  for cls in vars(module).values()
  if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
_ROOT = Path(__file__).parents[1]  # where gin_configs lies, in a checkout and where the package is installed
_FAULTS = (ValueError, TypeError, SyntaxError, LookupError, RuntimeError, ImportError, tokenize.TokenError)
_LENGTHS, _CACHED = 'TASK_FEATURE_LENGTHS', 'USE_CACHED_TASKS'  # macros of T5X
_FEATURES = {'inputs': 'note_length', 'targets': 'target_frames', 'targets_context': 'context_frames'}
_gin: Any = gin.config  # pyright: ignore[reportAttributeAccessIssue]


def read_gin(cls: type[Config], files: list[str], bindings: list[str], search_paths: Sequence[str] = ()) -> Config:
  """Builds `cls` as the gin files and then the bindings say.

  Args:
    cls: what is built.
    files: laid one over another; the last wins.
    bindings: laid over them all.
    search_paths: folders where files, and what they include, are looked for, after the current one and before the package's.

  Raises:
    InputError: a file is missing, a binding names nothing that exists, has a value of another type or sets a macro that nothing uses.
  """
  # Gin's own reader for packages fails on folders without __init__.py.
  _gin._FILE_READERS[:] = [(open, os.path.isfile)]
  _gin._LOCATION_PREFIXES[:] = ['', *search_paths, str(_ROOT)]
  with gin.unlock_config():
    gin.clear_config(clear_constants=True)
    for name, each in _CONFIGURABLES.items():
      if name not in _gin._REGISTRY:
        gin.external_configurable(each, name)
    try:
      gin.parse_config_files_and_bindings(files, [], finalize_config=False)
      familiar = _macros_set() | _macros_used()
      gin.parse_config(bindings)
      _bind_feature_lengths()
      _check_cached()
      _check_macros(familiar)
      gin.finalize()
      text = to_json(gin.get_configurable(cls.__name__)())
    except InputError:
      raise
    except OSError as e:
      raise InputError(f'gin file: {_one_line(e)}') from None
    except UnicodeDecodeError:
      raise InputError(f'gin file: {" or ".join(files)} is not text, or includes what is not') from None
    except _FAULTS as e:
      raise InputError(f'gin: {_explain(e)}') from None
  # Through JSON and back: gin's subclasses become plain dataclasses, and each value's type is checked.
  return from_json(cls, text, 'gin')


def _bind_feature_lengths() -> None:
  """The macro of T5X that says how long the network's inputs are, over whatever else says it."""
  if _LENGTHS not in _macros_set():
    return
  lengths = gin.query_parameter(f'{_LENGTHS}/gin.macro.value')
  if not isinstance(lengths, dict):
    raise InputError(f'gin: {_LENGTHS} is {lengths!r}, expected a table such as {{"inputs": 2048, "targets": 256}}')
  for name, length in lengths.items():
    if name not in _FEATURES:
      raise InputError(f'gin: {_LENGTHS} has no feature {name!r}; there are {", ".join(_FEATURES)}{_nearest([str(name)], _FEATURES)}')
    gin.bind_parameter(f'NetworkConfig.{_FEATURES[name]}', length)


def _check_cached() -> None:
  """The macro of T5X that says whether tasks are read from SeqIO's cache.  Here they never are."""
  if _CACHED in _macros_set() and gin.query_parameter(f'{_CACHED}/gin.macro.value') is not False:
    raise InputError(f'gin: {_CACHED} can be False alone: prepared corpora are read at random as they lie, with no cache; leave it out')


def _check_macros(familiar: set[str]) -> None:
  """Gin takes any NAME = value; one that nothing uses is misspelt if it is new to the files or looks like one that is used."""
  used = _macros_used() | {_LENGTHS, _CACHED}
  for name in sorted(_macros_set() - used):
    nearest = _nearest([name], used)
    if nearest or name not in familiar:
      raise InputError(f'gin: nothing uses {name}{nearest}')


def _macros_set() -> set[str]:
  return {name for name, selector in _gin._CONFIG if selector == 'gin.macro'}


def _macros_used() -> set[str]:
  return {'/'.join(each.scopes) for each in _gin.iterate_references(_gin._CONFIG) if each.selector == 'gin.macro'}


def _explain(error: Exception) -> str:
  message = _one_line(error).partition(' in config string:')[0]  # gin adds the whole configuration
  required, is_required, _ = message.partition('/macro.value set to `%gin.REQUIRED`')
  if is_required:
    return f'{required} has no value; bind it, e.g. --gin.{required}=...'
  known = [*_CONFIGURABLES, *(f'{name}.{field.name}' for name, cls in _CONFIGURABLES.items() for field in dataclasses.fields(cls))]
  words = [word.strip('\'"`,.:()@') for word in message.replace('=', ' ').split()]
  return message + _nearest(sorted(set(words) - set(known), key=lambda word: '.' not in word), known)


def _one_line(error: Exception) -> str:
  return ' '.join(str(error).split())


def _nearest(words: Iterable[str], known: Iterable[str]) -> str:
  near = [match for word in words for match in difflib.get_close_matches(word, list(known), 1, 0.8)]
  return f'; did you mean {near[0]}?' if near else ''
