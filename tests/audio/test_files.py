import pickle
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from mt3_synth.audio.files import AudioError, decode_audio, read_audio, read_audio_int16, read_header, to_int16, write_audio
from mt3_synth.errors import InputError, InputWarning

RAMP = np.arange(-32768, 32768, 8).astype(np.int16)


@pytest.mark.parametrize('suffix', ['.wav', '.flac', '.WAV'])
def test_int16_survives_the_file(tmp_path, suffix):
  path = tmp_path / f'ramp{suffix}'
  write_audio(path, RAMP)
  assert_array_equal(read_audio_int16(path), RAMP)
  assert_array_equal(read_audio(path), RAMP / np.float32(32768))
  assert soundfile.info(path).subtype == 'PCM_16'
  assert soundfile.info(path).samplerate == 16000
  assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_full_scale_is_32768_and_the_rest_is_clipped():
  assert to_int16(np.array([-2, -1, 0, 0.5, 1])).tolist() == [-32768, -32768, 0, 16384, 32767]
  assert to_int16(np.array([-1.6, -0.4, 1.4, 1.6]) / 32768).tolist() == [-2, 0, 1, 2]


def test_stereo_is_averaged_and_resampled(tmp_path):
  time = np.arange(44100) / 44100
  tone = np.sin(2 * np.pi * 440 * time)
  soundfile.write(tmp_path / 'a.wav', np.stack([0.8 * tone, 0.2 * tone], 1), 44100)
  audio = read_audio(tmp_path / 'a.wav')
  assert audio.shape == (16000,)
  assert audio.dtype == np.float32
  assert_allclose(audio[100:-100], 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)[100:-100], atol=1e-3)


def test_too_loud_is_clipped_and_said(tmp_path):
  with pytest.warns(InputWarning, match=r'1 of 3 samples exceed full scale, by up to 6\.0 dB'):
    write_audio(tmp_path / 'a.wav', np.array([0, 2, -1], np.float32))
  assert read_audio_int16(tmp_path / 'a.wav').tolist() == [0, 32767, -32768]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
  path = tmp_path / 'a.wav'
  write_audio(path, RAMP)
  with pytest.raises(InputError, match='1 of 2 samples are NaN'):
    write_audio(path, np.array([0, np.nan]))
  (tmp_path / 'folder.wav').mkdir()
  with pytest.raises(InputError, match='cannot be written'):
    write_audio(tmp_path / 'folder.wav', RAMP)
  assert sorted(file.name for file in tmp_path.iterdir()) == ['a.wav', 'folder.wav']
  assert_array_equal(read_audio_int16(path), RAMP)


@pytest.mark.parametrize(
  ('name', 'audio', 'says'),
  [
    ('a.mp3', RAMP, "'.mp3'; name it .wav or .flac"),
    ('a', RAMP, 'without suffix'),
    ('nowhere/a.wav', RAMP, 'there is no folder'),
    ('a.wav', RAMP[None], r'shape \[1, 8192\]; expected mono'),
    ('a.wav', RAMP.astype(np.int32), 'int32; expected floats'),
  ],
)
def test_what_cannot_be_written_says_why(tmp_path, name, audio, says):
  with pytest.raises(InputError, match=says):
    write_audio(tmp_path / name, audio)


def test_what_cannot_be_read_says_why(tmp_path):
  def refused(name, reason, says):
    with pytest.raises(AudioError, match=says) as error:
      read_audio(tmp_path / name)
    assert name in str(error.value)
    assert pickle.loads(pickle.dumps(error.value)).reason == reason

  refused('missing.wav', 'missing', 'no such file')
  (tmp_path / 'folder').mkdir()
  refused('folder', 'missing', 'is a folder')
  (tmp_path / 'text.wav').write_text('hello')
  refused('text.wav', 'unreadable', 'Format not recognised; 5 bytes')
  (tmp_path / 'zero.wav').touch()
  refused('zero.wav', 'unreadable', '0 bytes')
  soundfile.write(tmp_path / 'none.wav', np.zeros(0), 16000)
  refused('none.wav', 'empty', 'holds no samples')
  soundfile.write(tmp_path / 'nan.wav', np.array([0, np.nan]), 16000, subtype='FLOAT')
  refused('nan.wav', 'non-finite', '1 samples are NaN')


def test_a_file_in_memory_is_read_as_one_on_disk(tmp_path):
  soundfile.write(tmp_path / 'a.wav', np.random.default_rng(0).uniform(-1, 1, (4410, 2)), 44100)
  assert_array_equal(decode_audio((tmp_path / 'a.wav').read_bytes(), 'record 3'), read_audio(tmp_path / 'a.wav'))
  with pytest.raises(AudioError, match='record 3: cannot be decoded'):
    decode_audio(b'hello', 'record 3')


def test_a_header_tells_rate_and_length(tmp_path):
  soundfile.write(tmp_path / 'a.flac', np.zeros((22050, 2)), 44100)
  header = read_header(tmp_path / 'a.flac')
  assert (header.sample_rate, header.frames, header.seconds) == (44100, 22050, 0.5)
  with pytest.raises(AudioError, match='no such file'):
    read_header(tmp_path / 'b.flac')


@pytest.mark.parametrize(('suffix', 'says'), [('.wav', 'truncated: 20[0-9]{2} samples of the 409[0-9]'), ('.flac', 'cannot be decoded')])
def test_half_a_file_is_refused(tmp_path, suffix, says):
  path = tmp_path / f'a{suffix}'
  write_audio(path, np.random.default_rng(0).integers(-9999, 9999, 4096).astype(np.int16))
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
  with pytest.raises(AudioError, match=says) as error:
    read_audio(path)
  assert error.value.reason == 'truncated'


def test_a_wav_written_to_a_pipe_is_whole(tmp_path):
  path = tmp_path / 'a.wav'
  write_audio(path, RAMP)
  data = path.read_bytes()
  at = data.index(b'data') + 4
  path.write_bytes(data[:4] + b'\xff' * 4 + data[8:at] + b'\xff' * 4 + data[at + 4 :])
  assert_array_equal(read_audio_int16(path), RAMP)


def test_reading_files_needs_no_jax():
  subprocess.run([sys.executable, '-c', "import sys, mt3_synth.audio.files; assert 'jax' not in sys.modules"], check=True)
