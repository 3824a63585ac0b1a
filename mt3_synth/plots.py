"""Pictures of notes, spectrograms and losses.

Each function returns a matplotlib Figure, and writes it as PNG where a path is given.  No display and no global state is needed.  All
spectrograms have one colour scale, natural logarithm of magnitude from the floor (dark) to the ceiling (bright) of the configuration, so
pictures can be compared.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mt3_synth.config import MelConfig
from mt3_synth.errors import InputError
from mt3_synth.instruments import DRUM_GROUPS, PROGRAMS, drum_group
from mt3_synth.notes import Notes

_DEFAULT = MelConfig()
_DPI = 110
_STYLE: dict[Any, Any] = {
  'font.size': 11,
  'font.family': 'DejaVu Sans',  # comes with matplotlib: pictures are the same everywhere
  'axes.titlesize': 12,
  'axes.titlelocation': 'left',
  'axes.spines.top': False,
  'axes.spines.right': False,
  'figure.titlesize': 14,
  'legend.fontsize': 10,
}
# Distinct also to colour-blind readers at first, then less so; by the rank of a program within its piece.
_COLOURS = (
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#7a4fbf',
  '#8c6d31',
  '#17becf',
  '#b2182b',
  '#66a61e',
  '#e7298a',
)
_DRUMS = '#404040'
_DRUMS_ON_ANY = '#808080'  # on light and on dark


def plot_mel(mel, path: str | os.PathLike | None = None, *, title: str = '', config: MelConfig = _DEFAULT) -> Figure:
  """A log-mel spectrogram [T, D] (natural logarithm, not scaled) over time in seconds and frequency in hertz."""
  mel = _checked(mel, 'mel', config)
  with matplotlib.rc_context(_STYLE):
    figure = _figure(_seconds(mel, config), 3.6, title)
    axes = figure.subplots()
    _colour_bar(figure, _draw_mel(axes, mel, config), [axes])
    axes.set_xlabel('time [s]')
    return _written(figure, path)


def plot_piano_roll(notes: Notes, path: str | os.PathLike | None = None, *, title: str = '') -> Figure:
  """Notes as bars over time, a colour for each instrument, paler where softer; drums in a strip of their own."""
  with matplotlib.rc_context(_STYLE):
    figure = _figure(notes.duration, 4.5, title)
    panels = _roll_panels(notes)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=[height for _, height in panels])[:, 0]
    for ax, (draw, _) in zip(axes, panels, strict=True):
      draw(ax, notes)
    axes[-1].set_xlim(0, max(notes.duration, 0.1))
    axes[-1].set_xlabel('time [s]')
    _legend(figure, notes)
    return _written(figure, path)


def plot_song(notes: Notes, mel, path: str | os.PathLike | None = None, *, title: str = '', config: MelConfig = _DEFAULT) -> Figure:
  """The piano roll above the log-mel spectrogram [T, D] of its sound, on one time axis."""
  mel = _checked(mel, 'mel', config)
  seconds = max(notes.duration, _seconds(mel, config))
  with matplotlib.rc_context(_STYLE):
    figure = _figure(seconds, 7.5, title)
    panels = [*_roll_panels(notes), (lambda ax, _: _draw_mel(ax, mel, config), 3)]
    axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=[height for _, height in panels])
    drawn = [draw(ax, notes) for ax, (draw, _) in zip(axes, panels, strict=True)]
    _colour_bar(figure, drawn[-1], [axes[-1]])
    axes[-1].set_xlim(0, seconds)
    axes[-1].set_xlabel('time [s]')
    _legend(figure, notes)
    return _written(figure, path)


def plot_comparison(
  mels: Mapping[str, npt.ArrayLike], path: str | os.PathLike | None = None, *, title: str = '', config: MelConfig = _DEFAULT
) -> Figure:
  """Several log-mel spectrograms [T, D] under their names, one below the other on one time axis and one colour scale."""
  if not mels:
    raise InputError('no spectrogram to compare; give at least one as {name: mel}')
  checked = {name: _checked(mel, name, config) for name, mel in mels.items()}
  seconds = max(_seconds(mel, config) for mel in checked.values())
  with matplotlib.rc_context(_STYLE):
    figure = _figure(seconds, 0.8 + 2.4 * len(checked), title)
    axes = list(figure.subplots(len(checked), 1, sharex=True, squeeze=False)[:, 0])
    pictures = [_draw_mel(ax, mel, config) for ax, mel in zip(axes, checked.values(), strict=True)]
    for ax, name in zip(axes, checked, strict=True):
      ax.set_title(name)
    _colour_bar(figure, pictures[0], axes)
    axes[-1].set_xlim(0, seconds)
    axes[-1].set_xlabel('time [s]')
    return _written(figure, path)


def draw_mel_strip(mel, path: str | os.PathLike, *, width: int = 1600, config: MelConfig = _DEFAULT) -> None:
  """Writes a log-mel spectrogram [T, D] as PNG with nothing around it: time from edge to edge, one pixel a band, on the common scale.

  Frames beyond `width` are brought together, the loudest shown, so that no onset is lost.
  """
  mel = _checked(mel, 'mel', config)
  starts = np.linspace(0, len(mel), min(width, len(mel)), endpoint=False).astype(int)
  columns = np.maximum.reduceat(mel, starts, axis=0)
  _saved(path, lambda: imsave(path, columns.T, origin='lower', cmap='magma', vmin=math.log(config.floor), vmax=config.log_ceiling))


def mel_colours(count: int) -> list[str]:
  """Colours of the spectrograms' scale, from the floor to the ceiling: for legends that are not drawn here."""
  return [to_hex(colormaps['magma'](k / (count - 1))) for k in range(count)]


def draw_roll_strip(notes: Notes, seconds: float, path: str | os.PathLike, *, width: int = 1600, height: int = 220) -> dict[str, str]:
  """Writes notes as bars as PNG with nothing around them: `seconds` from edge to edge, transparent where no note is.

  Returns:
    the colour of each instrument, for a legend.
  """
  figure = Figure(figsize=(width / 100, height / 100), dpi=100)
  pitched, colours = notes.select(~notes.is_drum), _colours(notes)
  drums = notes.select(notes.is_drum)
  low, high = (pitched.pitch.min(), pitched.pitch.max()) if len(pitched) else (60, 60)
  top, bottom = max(high + 2, (low + high) // 2 + 10), min(low - 2, (low + high) // 2 - 10)
  shortest = seconds / width  # a pixel
  ax = figure.add_axes((0, 0, 1, 1))
  ax.axis('off')
  for program, colour in colours.items():
    part = pitched.select(pitched.program == program)
    _bars(ax, part.onset, np.maximum(part.offset, part.onset + shortest), part.pitch, part.velocity, colour, 0.9)
  _bars(ax, drums.onset, drums.onset + 3 * shortest, np.full(len(drums), bottom), drums.velocity, _DRUMS_ON_ANY, 1.6)
  ax.set_xlim(0, max(seconds, shortest))
  ax.set_ylim(bottom - 1.5, top)
  _saved(path, lambda: figure.savefig(path, format='png', transparent=True))
  return {PROGRAMS[program]: colour for program, colour in colours.items()} | ({'Drums': _DRUMS_ON_ANY} if len(drums) else {})


def plot_loss(
  curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
  path: str | os.PathLike | None = None,
  *,
  title: str = '',
  ylabel: str = 'loss',
) -> Figure:
  """Losses over steps: {name: (steps, values)}.

  Long curves are drawn pale, with a running mean of a fiftieth of their length above.  The scale is logarithmic if all values are positive
  and span more than a factor of three.  Values that are not finite are left out and counted in the legend.
  """
  with matplotlib.rc_context(_STYLE):
    figure = _figure(20, 4, title)
    axes = figure.subplots()
    low, high = math.inf, -math.inf
    for (name, (given_steps, given_values)), colour in zip(curves.items(), _cycled(len(curves)), strict=True):
      steps, values = np.asarray(given_steps, float), np.asarray(given_values, float)
      if steps.shape != values.shape or steps.ndim != 1:
        raise InputError(f'{name}: {steps.shape} steps and {values.shape} values; expected one value a step')
      finite = np.isfinite(values)
      label = name if finite.all() else f'{name} ({(~finite).sum()} not finite)'
      steps, values = steps[finite], values[finite]
      span = len(values) // 50
      if span > 1:
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        steps = np.convolve(steps, np.ones(span) / span, 'valid')
        values = np.convolve(values, np.ones(span) / span, 'valid')
      axes.plot(steps, values, color=colour, label=label, linewidth=1.8, marker='o' if len(values) < 3 else None)
      low, high = min([low, *values]), max([high, *values])
    if 0 < 3 * low < high:
      axes.set_yscale('log')
      axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
      axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel('step')
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))
    axes.grid(alpha=0.3)
    if len(curves) > 1 or any('not finite' in str(text) for text in axes.get_legend_handles_labels()[1]):
      axes.legend(frameon=False)
    return _written(figure, path)


def plot_bars(values: Mapping[str, float], path: str | os.PathLike | None = None, *, title: str = '', xlabel: str = '') -> Figure:
  """Horizontal bars under their names, in the order given, the first on top."""
  if not values:
    raise InputError('nothing to draw; give at least one value as {name: value}')
  with matplotlib.rc_context(_STYLE):
    figure = Figure(figsize=(8, 0.9 + 0.26 * len(values)), dpi=_DPI, layout='constrained')
    if title:
      figure.suptitle(title, x=0.01, ha='left', fontweight='bold')
    axes = figure.subplots()
    bars = axes.barh(range(len(values)), list(values.values()), color=_COLOURS[0])
    axes.bar_label(bars, [f'{value:,.4g}' for value in values.values()], padding=3, fontsize=9)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlabel(xlabel)
    axes.margins(x=0.12)
    return _written(figure, path)


def plot_histogram(
  counts: Mapping[int, float], path: str | os.PathLike | None = None, *, title: str = '', xlabel: str = '', ylabel: str = '', limit: int = 0
) -> Figure:
  """How often each whole number occurs, {number: count}, in some 50 bars; a dashed line at `limit` where one is given."""
  if not counts:
    raise InputError('nothing to draw; give at least one count as {number: count}')
  with matplotlib.rc_context(_STYLE):
    figure = _figure(20, 3.2, title)
    axes = figure.subplots()
    numbers = list(counts)
    axes.hist(numbers, bins=min(50, max(numbers) - min(numbers) + 1), weights=list(counts.values()), color=_COLOURS[0])
    if limit and limit <= 1.5 * max(numbers):
      axes.axvline(limit, color=_COLOURS[1], linestyle='--', label=f'{limit:,}')
      axes.legend(frameon=False)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(axis='y', alpha=0.3)
    return _written(figure, path)


def _figure(seconds: float, height: float, title: str) -> Figure:
  figure = Figure(figsize=(float(np.clip(5 + 0.35 * seconds, 8, 16)), height), dpi=_DPI, layout='constrained')
  if title:
    figure.suptitle(title, x=0.01, ha='left', fontweight='bold')
  return figure


def _checked(mel, name: str, config: MelConfig) -> np.ndarray:
  mel = np.asarray(mel, np.float32)
  if mel.ndim != 2 or mel.shape[1] != config.bands or not len(mel):
    raise InputError(f'{name}: shape {list(mel.shape)}; expected a spectrogram [T, {config.bands}] of at least one frame')
  return mel


def _seconds(mel, config) -> float:
  return len(mel) / config.frames_per_second


def _draw_mel(ax: Axes, mel: np.ndarray, config: MelConfig):
  picture = ax.imshow(
    mel.T,
    origin='lower',
    aspect='auto',
    cmap='magma',
    vmin=math.log(config.floor),
    vmax=config.log_ceiling,
    extent=(0, _seconds(mel, config), -0.5, config.bands - 0.5),
    interpolation='nearest' if len(mel) < 800 else 'antialiased',
  )
  hertz = np.array([250, 500, 1000, 2000, 4000, 8000, 16000])
  hertz = hertz[(hertz > config.low_hz) & (hertz <= config.high_hz)]
  mels = 1127 * np.log1p(np.array([config.low_hz, config.high_hz, *hertz]) / 700)
  bands = (mels[2:] - mels[0]) / (mels[1] - mels[0]) * (config.bands + 1) - 1
  ax.set_yticks(bands, [f'{each / 1000:g} k' if each >= 1000 else f'{each}' for each in hertz])
  ax.set_ylim(-0.5, config.bands - 0.5)
  ax.set_ylabel('frequency [Hz]')
  return picture


def _colour_bar(figure: Figure, picture, axes: list[Axes]):
  figure.colorbar(picture, ax=axes, label='ln magnitude', pad=0.01, aspect=12 + 8 * len(axes), ticks=MaxNLocator(6))


def _roll_panels(notes: Notes):
  """(draw, relative height) of the pitched notes and of the drums, whichever there are."""
  panels = []
  if not notes.is_drum.all() or not len(notes):
    panels.append((_draw_pitches, 3))
  if notes.is_drum.any():
    panels.append((_draw_drums, 0.35 + 0.17 * len(set(map(drum_group, notes.pitch[notes.is_drum])))))
  return panels


def _draw_pitches(ax: Axes, notes: Notes):
  pitched = notes.select(~notes.is_drum)
  low, high = (pitched.pitch.min(), pitched.pitch.max()) if len(pitched) else (54, 66)
  low, high = min(low - 2, (low + high) // 2 - 8), max(high + 2, (low + high) // 2 + 8)
  for pitch in range(low, high + 1):
    if pitch % 12 in (1, 3, 6, 8, 10):
      ax.axhspan(pitch - 0.5, pitch + 0.5, color='#f3f3f3', linewidth=0, zorder=0)
  colour_of = _colours(notes)
  for rank, (program, colour) in enumerate(colour_of.items()):
    part = pitched.select(pitched.program == program)
    height = 0.9 - 0.5 * rank / len(colour_of)  # slimmer and slimmer: an instrument in unison shows behind the next
    _bars(ax, part.onset, part.offset, part.pitch, part.velocity, colour, height)
  octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
  ax.set_yticks(octaves, [f'C{pitch // 12 - 1}' for pitch in octaves])
  ax.set_yticks(range(low, high + 1), minor=True)
  ax.tick_params(axis='y', which='minor', length=0)
  ax.set_ylim(low - 0.5, high + 0.5)
  ax.set_ylabel('pitch')
  if not len(notes):
    ax.text(0.5, 0.5, 'no notes', transform=ax.transAxes, ha='center', va='center', color='#666666')
  ax.grid(axis='both', alpha=0.3)
  ax.set_axisbelow(True)


def _draw_drums(ax: Axes, notes: Notes):
  drums = notes.select(notes.is_drum)
  groups = [drum_group(pitch) for pitch in drums.pitch]
  lanes = [group for group in DRUM_GROUPS if group in groups]
  lane = np.array([lanes.index(group) for group in groups])
  width = max(notes.duration / 700, 0.02)  # hits have no length worth showing
  _bars(ax, drums.onset, drums.onset + width, lane, drums.velocity, _DRUMS, 0.9)
  ax.set_yticks(range(len(lanes)), lanes, fontsize=9)
  ax.tick_params(axis='y', length=0)
  ax.set_ylim(-0.6, len(lanes) - 0.4)
  ax.grid(axis='both', alpha=0.3)
  ax.set_axisbelow(True)


def _bars(ax: Axes, left, right, y, velocity, colour: str, height: float):
  right = np.maximum(right, left + 0.01)
  bottom, top = y - height / 2, y + height / 2
  corners = np.stack([np.stack(each, -1) for each in ((left, bottom), (left, top), (right, top), (right, bottom))], axis=1)
  colours = [(*to_rgb(colour), 0.35 + 0.65 * each / 127) for each in velocity]
  ax.add_collection(PolyCollection(list(corners), facecolors=colours, edgecolors=colour, linewidths=0.4, zorder=2))


def _colours(notes: Notes) -> dict[int, str]:
  programs = [int(program) for program in np.unique(notes.program[~notes.is_drum])]
  return dict(zip(programs, _cycled(len(programs)), strict=True))


def _cycled(count: int) -> list[str]:
  return [_COLOURS[k % len(_COLOURS)] for k in range(count)]


def _legend(figure: Figure, notes: Notes):
  entries = [Patch(color=colour, label=PROGRAMS[program]) for program, colour in _colours(notes).items()]
  if notes.is_drum.any():
    entries.append(Patch(color=_DRUMS, label='Drums'))
  if entries:
    widest = max(len(str(entry.get_label())) for entry in entries)
    columns = max(1, int(figure.get_size_inches()[0] / (0.7 + 0.075 * widest)))
    figure.legend(handles=entries, loc='outside lower left', ncols=columns, frameon=False, handlelength=1.2, columnspacing=1.4)


def _written(figure: Figure, path) -> Figure:
  if path is not None:
    _saved(path, lambda: figure.savefig(path, format='png'))
  return figure


def _saved(path, save) -> None:
  try:
    save()
  except OSError as e:
    raise InputError(f'{path}: the picture cannot be written ({e.strerror}); choose a folder that exists and can be written to') from None
