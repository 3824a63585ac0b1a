"""One HTML page to look at and listen to results: no network, no server, opened from its folder."""

import base64
import mimetypes
import os
import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mt3_synth.errors import InputError
from mt3_synth.pages.assemble import escaped, fill, page_text, write_whole

_TYPES = {'.flac': 'audio/flac', '.wav': 'audio/wav', '.ogg': 'audio/ogg', '.png': 'image/png'}


@dataclass(frozen=True)
class Piece:
  """What the page shows of one piece.

  Attributes:
    name: the heading.
    pictures: caption -> PNG file, in order: the piano roll, target and prediction on one scale.
    audio: label -> WAV, FLAC or Ogg file, in order: target, target through the inverter, prediction.
    facts: how it came about (trained for, device, steps), name -> value.
    text: a paragraph, optional.
  """

  name: str
  pictures: Mapping[str, str | os.PathLike] = field(default_factory=dict)
  audio: Mapping[str, str | os.PathLike] = field(default_factory=dict)
  facts: Mapping[str, object] = field(default_factory=dict)
  text: str = ''


def write_page(
  path: str | os.PathLike,
  title: str,
  pieces: Sequence[Piece] = (),
  *,
  introduction: str = '',
  facts: Mapping[str, object] | None = None,
  loss_picture: str | os.PathLike | None = None,
  results: Sequence[Mapping[str, object]] = (),
  embed: bool = False,
) -> pathlib.Path:
  """Writes the page.  All text is escaped: none is taken as HTML.

  Args:
    path: the page, usually FOLDER/index.html; it is replaced.
    title: its heading.
    pieces: in the order shown.
    introduction: paragraphs, parted by empty lines.
    facts: of the whole run, name -> value.
    loss_picture: a PNG file.
    results: rows of a table, {column: value}; columns are those of all rows in order of appearance.
    embed: put pictures and audio into the page (one file to send, a third larger) and not beside it.

  Returns:
    the path of the page.

  Raises:
    InputError: a file is missing, or lies outside the page's folder and is not embedded, or the page can't be written.
  """
  path = pathlib.Path(path)
  link = _data_uri if embed else lambda file: _relative(file, path.parent)
  parts = [f'<h1>{escaped(title)}</h1>', _paragraphs(introduction), _facts(facts or {})]
  if loss_picture is not None:
    parts.append(f'<section><h2>Training</h2>{_picture("Loss over steps", link(loss_picture))}</section>')
  if results:
    parts.append(f'<section><h2>Results</h2>{_table(results)}</section>')
  parts += [_piece(piece, link) for piece in pieces]
  body = '\n'.join(part for part in parts if part)
  return write_whole(
    path, fill(page_text('demo.html'), {'title': escaped(title), 'body': body, 'style': page_text('theme.css', 'demo.css')})
  )


def _piece(piece: Piece, link) -> str:
  players = ''.join(
    f'<div class="player"><span>{escaped(label)}</span><audio controls preload="metadata" src="{link(file)}"></audio></div>'
    for label, file in piece.audio.items()
  )
  return '\n'.join(
    [
      f'<section><h2>{escaped(piece.name)}</h2>',
      _paragraphs(piece.text),
      f'<div class="players">{players}</div>' if players else '',
      *(_picture(caption, link(file)) for caption, file in piece.pictures.items()),
      _facts(piece.facts),
      '</section>',
    ]
  )


def _picture(caption: str, uri: str) -> str:
  return (
    f'<figure><div class="picture"><img src="{uri}" alt="{escaped(caption)}"></div><figcaption>{escaped(caption)}</figcaption></figure>'
  )


def _facts(facts: Mapping[str, object]) -> str:
  items = ''.join(f'<div><dt>{escaped(name)}</dt><dd>{escaped(_shown(value))}</dd></div>' for name, value in facts.items())
  return f'<dl>{items}</dl>' if items else ''


def _table(rows: Sequence[Mapping[str, object]]) -> str:
  columns = list(dict.fromkeys(column for row in rows for column in row))
  numeric = {column for column in columns if all(isinstance(row[column], (int, float)) for row in rows if column in row)}
  cell = lambda tag, column, value: f'<{tag}{" class=number" if column in numeric else ""}>{escaped(_shown(value))}</{tag}>'
  head = ''.join(cell('th', column, column) for column in columns)
  body = ''.join('<tr>' + ''.join(cell('td', column, row.get(column, '–')) for column in columns) + '</tr>' for row in rows)
  return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _paragraphs(text: str) -> str:
  return ''.join(f'<p>{escaped(each.strip())}</p>' for each in text.split('\n\n') if each.strip())


def _shown(value) -> str:
  return f'{value:.4g}' if isinstance(value, float) else str(value)


def _relative(file, folder: pathlib.Path) -> str:
  inside = _existing(file).resolve()
  try:
    inside = inside.relative_to(folder.resolve())
  except ValueError:
    raise InputError(f'{file}: lies outside the folder of the page, {folder}; write it there, or embed files') from None
  return escaped(urllib.parse.quote(inside.as_posix()))


def _data_uri(file) -> str:
  file = _existing(file)
  kind = _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or 'application/octet-stream'
  return f'data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}'


def _existing(file) -> pathlib.Path:
  file = pathlib.Path(file)
  if not file.is_file():
    raise InputError(f'{file}: no such file; write pictures and audio before the page that shows them')
  return file
