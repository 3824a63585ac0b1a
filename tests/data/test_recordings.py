import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.audio.files import write_audio
from mt3_synth.data.recordings import RecordingsInMemory, SoundLoader, open_recordings, plain_files
from mt3_synth.errors import InputError


def ramp(count, start=0):
  return np.arange(start, start + count, dtype=np.int16)


def loader(**changes):
  sources = [RecordingsInMemory([ramp(5000), ramp(3000, 10000)]), RecordingsInMemory([ramp(8000, 20000)])]
  return SoundLoader(sources, **{'samples': 640, 'batch_size': 8, 'seed': 0, 'hop': 320} | changes)


def test_crops_are_consecutive_samples_that_begin_at_a_hop():
  audio = loader().batch(0)['audio']
  assert audio.shape == (8, 640)
  assert audio.dtype == np.int16
  assert (np.diff(audio) == 1).all()
  assert (audio[:, 0] % 10000 % 320 == 0).all()


def test_corpora_and_recordings_are_drawn_from_by_their_length():
  firsts = np.concatenate([loader().batch(n)['audio'][:, 0] for n in range(500)])
  shares = [np.mean(firsts // 10000 == kind) for kind in range(3)]
  np.testing.assert_allclose(shares, [5 / 16, 3 / 16, 8 / 16], atol=0.03)


def test_a_batch_is_a_function_of_seed_and_number_however_it_is_reached():
  with loader().walk() as batches:
    batches.set_state({'next_batch': 3})
    assert_array_equal(next(batches)['audio'], loader().batch(3)['audio'])
    assert batches.get_state() == {'next_batch': 4}
  assert not np.array_equal(loader(seed=1).batch(3)['audio'], loader().batch(3)['audio'])


def test_hosts_make_the_batch_of_one():
  parts = [loader(host=host, hosts=2).batch(5)['audio'] for host in range(2)]
  assert_array_equal(np.concatenate(parts), loader().batch(5)['audio'])


def test_a_short_recording_is_followed_by_silence():
  short = SoundLoader([RecordingsInMemory([ramp(100, 1)])], samples=640, batch_size=1, seed=0, hop=320).batch(0)['audio'][0]
  assert_array_equal(short, np.r_[ramp(100, 1), np.zeros(540)])


def test_a_plain_folder_is_split_by_its_files_names(tmp_path):
  for name in 'abc':
    write_audio(tmp_path / f'{name}.wav', ramp(700))
  train, validation = (plain_files(tmp_path, split) for split in ('train', 'validation'))
  assert len(train) == 2
  assert len(validation) == 1
  assert not set(train) & set(validation)
  assert_array_equal(open_recordings(str(tmp_path), 'train').samples, [700, 700])


def test_a_folder_without_sound_is_told(tmp_path):
  with pytest.raises(InputError, match='too few audio files'):
    open_recordings(str(tmp_path), 'train')


def test_the_embedded_corpus_and_its_tracks_are_the_same():
  from mt3_synth.data.songs import EMBEDDED

  named, found = open_recordings('embedded', 'validation'), open_recordings(str(EMBEDDED), 'validation')
  assert_array_equal(named.samples, found.samples)
  assert len(named.samples) == 2
