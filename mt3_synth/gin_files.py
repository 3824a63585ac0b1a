"""Reading a run's configuration from gin files: the only place that knows gin."""

import dataclasses
import difflib
from pathlib import Path
from typing import TypeVar

import gin

from mt3_synth import config as model_config
from mt3_synth.config import from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.training import config as training_config

Config = TypeVar('Config')
_CONFIGURABLES = {
  cls.__name__: cls
  for module in (model_config, training_config)
  for cls in vars(module).values()
  if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
_ROOT = Path(__file__).parents[1]  # of a checkout, where gin_configs lies


def read_gin(cls: type[Config], files: list[str], bindings: list[str]) -> Config:
  """Builds `cls` as the gin files and then the bindings say.

  Raises:
    InputError: a file is missing, or a binding names nothing that exists or has a value of another type.
  """
  with gin.unlock_config():
    gin.clear_config(clear_constants=True)
    for name, each in _CONFIGURABLES.items():
      if name not in gin.config._REGISTRY:  # pyright: ignore[reportAttributeAccessIssue]
        gin.external_configurable(each, name)
    gin.add_config_file_search_path(str(_ROOT))
    try:
      gin.parse_config_files_and_bindings(files, bindings)
      built = gin.get_configurable(cls.__name__)()
    except OSError as e:
      raise InputError(f'gin file: {e}') from None
    except (ValueError, TypeError, SyntaxError, LookupError) as e:
      raise InputError(f'gin: {_explain(e)}') from None
  # Through JSON and back: gin's subclasses become plain dataclasses, and each value's type is checked.
  return from_json(cls, to_json(built), 'gin')


def _explain(error: Exception) -> str:
  message = ' '.join(str(error).split())
  known = [f'{name}.{field.name}' for name, cls in _CONFIGURABLES.items() for field in dataclasses.fields(cls)]
  words = [word.strip('\'"`,:()') for word in message.split()]
  near = [match for word in words for match in difflib.get_close_matches(word, known + list(_CONFIGURABLES), 1, 0.8)]
  return message + (f'; did you mean {near[0]}?' if near else '')
