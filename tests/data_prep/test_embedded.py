"""The corpus in the package is what its command makes."""

import importlib.resources
import pathlib

import mido
import numpy as np
import pytest
import soundfile
import yaml

from data_prep.compose import embedded
from mt3_synth.rendering import fluidsynth
from mt3_synth.rendering.parts import read_song
from tests.render import reference

CORPUS = pathlib.Path(str(importlib.resources.files('mt3_synth') / 'data' / 'embedded'))


def tracks():
  """{number of the piece: (folder, metadata)}."""
  found = {}
  for path in CORPUS.glob('*/*/metadata.yaml'):
    metadata = yaml.safe_load(path.read_text())
    found[int(metadata['source'][:2]) - 1] = (path.parent, metadata)
  return found


def test_every_midi_file_is_remade_byte_for_byte(tmp_path):
  assert sorted(tracks()) == list(range(len(embedded.PIECES)))
  for number, (folder, metadata) in tracks().items():
    assert metadata['source'] == embedded.file_name(number)
    assert folder.parent.name == embedded.PIECES[number].split
    assert (folder / 'all_src.mid').read_bytes() == embedded.midi(number), metadata['source']
    song = read_song(folder / 'all_src.mid')
    assert len(song.parts) == len(metadata['stems']) == len(list((folder / 'MIDI').iterdir()))
    for k, part in enumerate(song.parts):
      song.midi(part).save(tmp_path / 'stem.mid')
      assert (folder / 'MIDI' / f'S{k:02d}.mid').read_bytes() == (tmp_path / 'stem.mid').read_bytes()


def test_its_sizes_and_splits():
  assert sum(path.stat().st_size for path in CORPUS.rglob('*') if path.is_file()) <= 10_000_000
  programs, seconds = {}, {}
  for folder, metadata in tracks().values():
    split = folder.parent.name
    programs.setdefault(split, set()).update(stem['program_num'] for stem in metadata['stems'].values())
    info = soundfile.info(folder / 'mix.flac')
    assert (info.samplerate, info.channels, info.subtype) == (16000, 1, 'PCM_16')
    assert info.duration == pytest.approx(mido.MidiFile(folder / 'all_src.mid').length + 2, abs=0.001)
    seconds[split] = seconds.get(split, 0) + info.duration
  assert 8 * 60 <= sum(seconds.values()) <= 10 * 60
  assert min(seconds.values()) > 40
  assert len(programs['train']) >= 24
  assert programs['validation'] | programs['test'] <= programs['train']


def test_a_piece_is_remade_sample_for_sample(tmp_path):
  reference.needs_fluidsynth()
  number = 5
  folder, metadata = tracks()[number]
  made = metadata['render']
  if fluidsynth.version() != made['fluidsynth'] or fluidsynth.digest(reference.SOUNDFONT) != made['soundfont_sha256']:
    pytest.skip(f'the corpus was made with FluidSynth {made["fluidsynth"]} and FluidR3 GM: others sound a little different')
  (tmp_path / 'midi').mkdir()
  (tmp_path / 'midi' / embedded.file_name(number)).write_bytes(embedded.midi(number))
  embedded.render_corpus(tmp_path / 'midi', reference.SOUNDFONT, tmp_path / 'out', jobs=1)
  again, _ = soundfile.read(next((tmp_path / 'out').glob('train/*/mix.flac')), dtype='int16')
  shipped, _ = soundfile.read(folder / 'mix.flac', dtype='int16')
  assert np.abs(shipped).max() > 1000
  assert len(again) == len(shipped)
  assert np.abs(again.astype(int) - shipped).max() <= 1  # another processor may round otherwise


def test_without_a_soundfont_the_command_says_so(tmp_path, capsys):
  assert embedded.main(['--soundfont', str(tmp_path / 'absent.sf2'), '--out', str(tmp_path / 'out')]) == 2
  assert 'apt-get install fluid-soundfont-gm' in capsys.readouterr().err
  assert not (tmp_path / 'out').exists()
