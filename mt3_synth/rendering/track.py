"""A song as a folder in the layout of Slakh2100-redux: mix, stems, their MIDI files and metadata."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import yaml

from mt3_synth.errors import InputError
from mt3_synth.rendering.fluidsynth import SYNTHESIS_RATE, synthesizer
from mt3_synth.rendering.general_midi import instrument_class, program_name
from mt3_synth.rendering.parts import Song, Timing
from mt3_synth.rendering.plan import Job

PARTIAL = '.partial'  # tracks are written below it and moved when they are whole
_FILES = {'all_src.mid', 'metadata.yaml', 'mix.flac', 'mix.wav', 'MIDI', 'stems'}


@dataclass(frozen=True)
class RenderSettings:
  """All that decides what a song sounds like."""

  soundfont: str  # file name
  soundfont_sha256: str
  fluidsynth: str  # version of the library
  sample_rate: int = 16000
  format: str = 'flac'  # or wav
  stems: bool = True  # write the audio of each part beside the mix
  tail: float = 2.0  # s of release after the last event
  loudness: float = -20.0  # dB re full scale: the mean power that mixes are brought to
  peak: float = -1.0  # dB re full scale: no mix and no stem goes above it
  max_minutes: float = 60.0  # longer songs are skipped
  timing: Timing = 'exact'  # or when FluidSynth's player, which drifts, would play


def is_finished(folder: Path, job: Job, settings: RenderSettings) -> bool:
  """Whether `folder` holds the job's track, whole.

  A folder of ours without metadata counts as unfinished.

  Raises:
    InputError: it holds another song, or one rendered with other settings, or files that aren't a track's.
  """
  if not folder.exists():
    return False
  if not (folder / 'metadata.yaml').is_file():
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - _FILES:
      raise InputError(f'{folder}: in the way, and not a track; choose another --out')
    return False
  try:
    found = yaml.safe_load((folder / 'metadata.yaml').read_text(encoding='utf-8'))
    uuid, rendered = found['UUID'], found['render']
  except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
    raise InputError(f'{folder}/metadata.yaml: not written by this verb; choose another --out') from None
  if uuid != job.uuid:
    raise InputError(
      f'{folder} holds {found.get("source")}, now it would hold {job.name}: the MIDI files changed since; '
      'choose another --out, or delete the old corpus'
    )
  wanted = asdict(settings)
  for key in wanted:
    if rendered.get(key) != wanted[key]:
      raise InputError(
        f'{folder} was rendered with {key} {rendered.get(key)}, now {wanted[key]} is asked for; '
        'choose another --out, or delete the old corpus'
      )
  return True


def render_track(job: Job, song: Song, soundfont: Path, settings: RenderSettings, out: Path) -> float:
  """Renders one song into out/SPLIT/TRACK: all of it, or nothing.

  Returns:
    Seconds of audio.

  Raises:
    InputError: FluidSynth or the soundfont can't be used, or the folder can't be written.
  """
  synth = synthesizer(soundfont)
  sounds = [synth.play(song.timed(part, settings.timing, SYNTHESIS_RATE), song.duration, settings.tail) for part in song.parts]
  stems = np.stack([soxr.resample(sound, SYNTHESIS_RATE, settings.sample_rate, quality='VHQ') for sound in sounds])
  gain = level(stems, settings)
  # Rounded before they are summed: the mix is the sum of its stems to the last bit.
  stems = np.rint(stems * (gain * 32767)).astype(np.int16)
  mix = stems.sum(axis=0, dtype=np.int32).astype(np.int16)

  folder, final = out / PARTIAL / job.track, out / job.split / job.track
  try:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / 'MIDI').mkdir(parents=True)
    for k, part in enumerate(song.parts):
      song.midi(part).save(folder / 'MIDI' / f'S{k:02d}.mid')
    shutil.copyfile(job.source, folder / 'all_src.mid')
    _write(folder / f'mix.{settings.format}', mix, settings)
    if settings.stems:
      (folder / 'stems').mkdir()
      for k, stem in enumerate(stems):
        _write(folder / 'stems' / f'S{k:02d}.{settings.format}', stem, settings)
    text = yaml.safe_dump(_metadata(job, song, gain, settings), sort_keys=True)
    (folder / 'metadata.yaml').write_text(text, encoding='utf-8')
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():  # half-written, by `is_finished`
      shutil.rmtree(final)
    folder.rename(final)
  except (OSError, soundfile.LibsndfileError) as e:
    raise InputError(f'{out}: cannot be written ({e}); is the disk full, or the folder not yours?') from None
  finally:
    shutil.rmtree(folder, ignore_errors=True)
  return len(mix) / settings.sample_rate


def level(stems: np.ndarray, settings: RenderSettings) -> float:
  """The one gain of a song.

  Brings the mix's mean power to `settings.loudness`, leaving out blocks of 0.4 s more than 30 dB below the loudest, so that rests
  don't make the rest loud; then as much lower as keeps every peak, of the mix and of each stem, under `settings.peak`.

  Args:
    stems: float [parts, S].
  """
  mix = stems.sum(axis=0)
  block = round(0.4 * settings.sample_rate)
  padded = np.pad(mix, (0, -len(mix) % block)).reshape(-1, block)
  power = np.square(padded, dtype=np.float64).mean(axis=1)
  highest = max(np.abs(mix).max(initial=0), np.abs(stems).max(initial=0))
  if highest == 0:
    return 1.0
  mean_power = power[power >= power.max() * 1e-3].mean()
  return float(min(10 ** (settings.loudness / 20) / np.sqrt(mean_power), 10 ** (settings.peak / 20) / highest))


def _write(path, samples, settings):
  options: dict[str, Any] = {'compression_level': 1.0} if settings.format == 'flac' else {}
  soundfile.write(path, samples, settings.sample_rate, subtype='PCM_16', **options)


def _metadata(job, song, gain, settings):
  """Slakh's keys, and two of ours: `source`, and `render` with all settings.

  `audio_rendered` says that a part sounds in the mix, whether or not its own audio is kept (`render.stems`).
  """
  return {
    'UUID': job.uuid,
    'audio_dir': f'{job.track}/stems',
    'midi_dir': f'{job.track}/MIDI',
    'normalization_factor': settings.loudness,
    'normalized': True,
    'overall_gain': gain,
    'target_peak': settings.peak,
    'source': job.name,
    'render': asdict(settings),
    'stems': {
      f'S{k:02d}': {
        'audio_rendered': True,
        'inst_class': instrument_class(part.slakh_program),
        'is_drum': part.is_drum,
        'midi_program_name': program_name(part.slakh_program),
        'midi_saved': True,
        'plugin_name': settings.soundfont,
        'program_num': part.slakh_program,
      }
      for k, part in enumerate(song.parts)
    },
  }
