"""Pieces of a page, files of this package, put together into one HTML file."""

import html
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mt3_synth.errors import InputError

_HERE = Path(__file__).parent


def page_text(*names: str) -> str:
  """The text of files of this package, one after the other."""
  return '\n'.join((_HERE / name).read_text(encoding='utf-8') for name in names)


def fill(template: str, values: Mapping[str, str]) -> str:
  """`template` with each {{name}} replaced by its value, in one pass: a value may hold such a place itself."""
  return re.sub(r'\{\{(\w+)\}\}', lambda place: values[place[1]], template)


def escaped(value: object) -> str:
  """Text as it may stand in HTML, in attributes too."""
  return html.escape(str(value), quote=True)


def as_script(data: Any) -> str:
  """Data as JSON that may stand in a <script>: it holds nothing that could end the element.  NaN is refused."""
  return json.dumps(data, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')


def write_whole(path: str | os.PathLike, text: str) -> Path:
  """Writes a text file whole or not at all; an existing one is replaced.

  Raises:
    InputError: it can't be written.
  """
  path = Path(path)
  part = path.with_name(f'.{path.name}.part')
  try:
    part.write_text(text, encoding='utf-8')
    os.replace(part, path)
  except OSError as e:
    part.unlink(missing_ok=True)
    raise InputError(f'{path}: cannot be written ({e.strerror}); choose a folder that exists and can be written to') from None
  return path
