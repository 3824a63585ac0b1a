"""A gin file read as text: what it binds, with nothing imported, nothing called and gin's own registry untouched."""

import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gin import config_parser

from mt3_synth.errors import InputError

_REQUIRED = object()


@dataclass(frozen=True)
class Reference:
  """`@module.name` or `@module.name()`, and no more than its name."""

  name: str

  @property
  def last(self) -> str:
    return self.name.rpartition('.')[2]


@dataclass(frozen=True)
class _Macro:
  name: str


class _Delegate(config_parser.ParserDelegate):
  def configurable_reference(self, scoped_configurable_name, evaluate) -> Any:
    return Reference(scoped_configurable_name.rpartition('/')[2])

  def macro(self, macro_name) -> Any:
    return _Macro(macro_name)


@dataclass(frozen=True)
class GinText:
  """The bindings of a file.  Names are asked for without their modules: `MODEL`, `T5Config.emb_dim`, `train/Schedule.name`."""

  source: str
  bindings: dict[str, Any]

  def get(self, name: str, default: Any = _REQUIRED) -> Any:
    """The value bound to `name`, macros put in; what has a scope falls back to what has none, as in gin.

    Raises:
      InputError: it is not bound and has no default, or its value rests on a macro without one.
    """
    for key in (name, name.rpartition('/')[2]):
      if key in self.bindings:
        return self._resolved(self.bindings[key], (key,))
    if default is _REQUIRED:
      raise InputError(f'{self.source}: does not set {name}; expected the whole config.gin that T5X writes beside its checkpoints')
    return default

  def _resolved(self, value: Any, above: tuple[str, ...]) -> Any:
    if isinstance(value, _Macro):
      if value.name not in self.bindings or value.name in above:
        raise InputError(f'{self.source}: {above[0]} is set to %{value.name}, which has no value')
      return self._resolved(self.bindings[value.name], (*above, value.name))
    if isinstance(value, dict):
      return {self._resolved(k, above): self._resolved(v, above) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
      return type(value)(self._resolved(each, above) for each in value)
    return value


def read_gin_text(file: Path) -> GinText:
  """Parses `file` by gin's grammar.

  Raises:
    InputError: it can't be read, is not gin, or includes other files.
  """
  bindings = {}
  try:
    for statement in config_parser.ConfigParser(file.read_text(), _Delegate()):
      if isinstance(statement, config_parser.IncludeStatement):
        raise InputError(f'{file}: includes {statement.filename}; give the config.gin that T5X writes, which holds all in one')
      if isinstance(statement, config_parser.BindingStatement):
        name = statement.selector.rpartition('.')[2] + (f'.{statement.arg_name}' if statement.arg_name else '')
        bindings[f'{statement.scope}/{name}' if statement.scope else name] = statement.value
  except (OSError, UnicodeDecodeError) as e:
    raise InputError(f'{file}: unreadable ({e})') from None
  except (SyntaxError, tokenize.TokenError, ValueError) as e:
    if isinstance(e, InputError):
      raise
    raise InputError(f'{file}: no gin file ({" ".join(str(e).split())[:150]})') from None
  return GinText(str(file), bindings)
