import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from mt3_synth import plots
from mt3_synth.errors import InputError
from mt3_synth.instruments import PROGRAMS, drum_group
from mt3_synth.notes import Notes

NOTES = Notes.from_rows([(0, 1, 60, 100, 0), (0.5, 2, 64, 127, 40), (0.5, 1, 36, 80, 0, True), (1, 1.1, 42, 80, 9, True)])
MEL = np.linspace(-11, 4, 100 * 128).reshape(100, 128)  # 2 s


def legend(figure):
  return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


def bars(ax):
  return sum(len(each.get_paths()) for each in ax.collections if isinstance(each, PolyCollection))


def test_the_song_is_on_one_time_axis_and_one_scale(tmp_path):
  figure = plots.plot_song(NOTES, MEL[:50], tmp_path / 'song.png', title='A song')
  roll, drums, mel = figure.axes[:3]
  assert {ax.get_xlim() for ax in (roll, drums, mel)} == {(0, 2)}  # the notes are longer than the sound
  assert mel.images[0].get_extent()[:2] == [0, 1]
  assert mel.images[0].get_clim() == pytest.approx((-11.51, 4), abs=0.01)
  assert mel.get_xlabel() == 'time [s]'
  height, width = matplotlib.image.imread(tmp_path / 'song.png').shape[:2]
  assert width > 800
  assert height > 600


def test_instruments_have_names_and_drums_are_apart():
  figure = plots.plot_piano_roll(NOTES)
  roll, drums = figure.axes
  assert legend(figure) == ['Acoustic Grand Piano', 'Violin', 'Drums']
  assert (bars(roll), bars(drums)) == (2, 2)
  assert [tick.get_text() for tick in drums.get_yticklabels()] == ['Kick', 'Hi-hat']
  assert len(plots._colours(NOTES)) == len(set(plots._colours(NOTES).values())) == 2


def test_a_piece_of_one_kind_has_one_panel():
  assert len(plots.plot_piano_roll(NOTES.select(~NOTES.is_drum)).axes) == 1
  assert len(plots.plot_piano_roll(NOTES.select(NOTES.is_drum)).axes) == 1
  assert 'no notes' in [text.get_text() for text in plots.plot_piano_roll(Notes.empty()).axes[0].texts]


def test_a_comparison_shares_the_scale_and_says_the_names():
  figure = plots.plot_comparison({'target': MEL, 'prediction': MEL[:80] / 2})
  target, prediction = figure.axes[:2]
  assert (target.get_title('left'), prediction.get_title('left')) == ('target', 'prediction')
  assert target.images[0].get_clim() == prediction.images[0].get_clim()
  assert target.get_xlim() == prediction.get_xlim() == (0, 2)


def test_the_frequency_axis_names_the_band_of_each_frequency():
  ax = plots.plot_mel(MEL).axes[0]
  at = {label.get_text(): tick for label, tick in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
  assert at['1 k'] == pytest.approx(129 * np.log1p(1000 / 700) / np.log1p(8000 / 700) - 1)


def test_a_loss_curve_says_what_it_leaves_out():
  figure = plots.plot_loss({'train': ([0, 1, 2], [3.0, np.nan, 0.5]), 'eval': ([0, 2], [4.0, 1.0])})
  (axes,) = figure.axes
  legend = axes.get_legend()
  assert legend is not None
  assert [text.get_text() for text in legend.get_texts()] == ['train (1 not finite)', 'eval']
  assert axes.get_yscale() == 'log'
  assert np.asarray(axes.lines[0].get_xdata()).tolist() == [0, 2]


def test_a_long_loss_curve_has_its_mean_above():
  steps = np.arange(1000)
  (axes,) = plots.plot_loss({'train': (steps, steps % 2 + 1.0)}).axes
  raw, mean = axes.lines
  assert np.shape(raw.get_xdata()) == (1000,)
  np.testing.assert_allclose(np.asarray(mean.get_ydata()), 1.5)
  assert axes.get_yscale() == 'linear'


def test_general_midi_names_are_in_their_places():
  assert len(PROGRAMS) == len(set(PROGRAMS)) == 128
  assert [PROGRAMS[k] for k in (0, 24, 32, 40, 56, 73, 127)] == [
    'Acoustic Grand Piano',
    'Nylon Guitar',
    'Acoustic Bass',
    'Violin',
    'Trumpet',
    'Flute',
    'Gunshot',
  ]
  assert [drum_group(pitch) for pitch in (36, 38, 42, 49, 50, 75)] == ['Kick', 'Snare', 'Hi-hat', 'Cymbals', 'Toms', 'Percussion']


def test_what_cannot_be_drawn_says_why(tmp_path):
  with pytest.raises(InputError, match=r'shape \[100, 80\]; expected a spectrogram \[T, 128\]'):
    plots.plot_mel(MEL[:, :80])
  with pytest.raises(InputError, match='prediction: shape'):
    plots.plot_comparison({'target': MEL, 'prediction': MEL[None]})
  with pytest.raises(InputError, match='no spectrogram'):
    plots.plot_comparison({})
  with pytest.raises(InputError, match='train: .* one value a step'):
    plots.plot_loss({'train': ([0, 1], [1.0])})
  with pytest.raises(InputError, match='cannot be written'):
    plots.plot_mel(MEL, tmp_path / 'nowhere' / 'mel.png')
