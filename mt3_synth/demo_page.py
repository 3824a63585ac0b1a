"""One HTML page to look at and listen to results: no network, no server, opened from its folder."""

import base64
import html
import mimetypes
import os
import pathlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mt3_synth.errors import InputError

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
  parts = [f'<h1>{_text(title)}</h1>', _paragraphs(introduction), _facts(facts or {})]
  if loss_picture is not None:
    parts.append(f'<section><h2>Training</h2>{_picture("Loss over steps", link(loss_picture))}</section>')
  if results:
    parts.append(f'<section><h2>Results</h2>{_table(results)}</section>')
  parts += [_piece(piece, link) for piece in pieces]
  values = {'title': _text(title), 'body': '\n'.join(part for part in parts if part)}
  page = re.sub(r'\{(title|body)\}', lambda place: values[place[1]], _PAGE)  # in one pass: the text may hold such a place itself
  part = path.with_name(f'.{path.name}.part')
  try:
    part.write_text(page, encoding='utf-8')
    os.replace(part, path)
  except OSError as e:
    part.unlink(missing_ok=True)
    raise InputError(f'{path}: the page cannot be written ({e.strerror}); choose a folder that exists and can be written to') from None
  return path


def _piece(piece: Piece, link) -> str:
  players = ''.join(
    f'<div class="player"><span>{_text(label)}</span><audio controls preload="metadata" src="{link(file)}"></audio></div>'
    for label, file in piece.audio.items()
  )
  return '\n'.join(
    [
      f'<section><h2>{_text(piece.name)}</h2>',
      _paragraphs(piece.text),
      f'<div class="players">{players}</div>' if players else '',
      *(_picture(caption, link(file)) for caption, file in piece.pictures.items()),
      _facts(piece.facts),
      '</section>',
    ]
  )


def _picture(caption: str, uri: str) -> str:
  return f'<figure><div class="picture"><img src="{uri}" alt="{_text(caption)}"></div><figcaption>{_text(caption)}</figcaption></figure>'


def _facts(facts: Mapping[str, object]) -> str:
  items = ''.join(f'<div><dt>{_text(name)}</dt><dd>{_text(_shown(value))}</dd></div>' for name, value in facts.items())
  return f'<dl>{items}</dl>' if items else ''


def _table(rows: Sequence[Mapping[str, object]]) -> str:
  columns = list(dict.fromkeys(column for row in rows for column in row))
  numeric = {column for column in columns if all(isinstance(row[column], (int, float)) for row in rows if column in row)}
  cell = lambda tag, column, value: f'<{tag}{" class=number" if column in numeric else ""}>{_text(_shown(value))}</{tag}>'
  head = ''.join(cell('th', column, column) for column in columns)
  body = ''.join('<tr>' + ''.join(cell('td', column, row.get(column, '–')) for column in columns) + '</tr>' for row in rows)
  return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _paragraphs(text: str) -> str:
  return ''.join(f'<p>{_text(each.strip())}</p>' for each in text.split('\n\n') if each.strip())


def _shown(value) -> str:
  return f'{value:.4g}' if isinstance(value, float) else str(value)


def _text(value) -> str:
  return html.escape(str(value), quote=True)


def _relative(file, folder: pathlib.Path) -> str:
  inside = _existing(file).resolve()
  try:
    inside = inside.relative_to(folder.resolve())
  except ValueError:
    raise InputError(f'{file}: lies outside the folder of the page, {folder}; write it there, or embed files') from None
  return _text(urllib.parse.quote(inside.as_posix()))


def _data_uri(file) -> str:
  file = _existing(file)
  kind = _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or 'application/octet-stream'
  return f'data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}'


def _existing(file) -> pathlib.Path:
  file = pathlib.Path(file)
  if not file.is_file():
    raise InputError(f'{file}: no such file; write pictures and audio before the page that shows them')
  return file


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; --page: #fbfaf8; --card: #ffffff; --ink: #1d1d1f; --soft: #62626a; --line: #e2e0dc; }
@media (prefers-color-scheme: dark) {
  :root { --page: #141416; --card: #1e1e21; --ink: #ececee; --soft: #a2a2aa; --line: #35353a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.2; margin: 0 0 1rem; letter-spacing: -0.01em; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 0.75rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem; margin: 1.5rem 0; }
section > :last-child { margin-bottom: 0; }
dl { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; margin: 0 0 1rem; }
dt { color: var(--soft); font-size: 0.8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.players { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); gap: 1rem; margin: 0 0 1.25rem; }
.player span { display: block; font-size: 0.9rem; margin-bottom: 0.3rem; }
audio { width: 100%; height: 2.75rem; display: block; }
figure { margin: 0 0 1.25rem; }
.picture { background: #ffffff; border-radius: 8px; padding: 0.5rem; overflow-x: auto; }
.picture img { display: block; max-width: 100%; min-width: 34rem; height: auto; }
figcaption { color: var(--soft); font-size: 0.85rem; margin-top: 0.4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 0.9rem 0.45rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: 0.85rem; }
.number { text-align: right; }
</style>
</head>
<body>
<main>
{body}
</main>
<script>
// One player sounds at a time.
document.addEventListener('play', event => {
  for (const player of document.querySelectorAll('audio')) if (player !== event.target) player.pause();
}, true);
</script>
</body>
</html>
"""
