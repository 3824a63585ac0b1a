"""Records are tf.train.Example as everybody writes it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mt3_synth.data.records import decode_example, encode_example

# Worked out by hand from the wire format: Example{features{feature{key 'a' value{int64_list{3, 300}}}}}, packed.
BY_HAND = bytes([10, 14, 10, 12, 10, 1, ord('a'), 18, 7, 26, 5, 10, 3, 3, 0xAC, 2])


def test_the_wire_format():
  assert encode_example({'a': np.array([3, 300])}) == BY_HAND
  assert_array_equal(decode_example(BY_HAND)['a'], [3, 300])


def test_every_kind_comes_back():
  written = {'bytes': b'\xff\x00', 'text': 'é', 'one': 7, 'many': [1, -2], 'real': 0.5, 'list': [b'a', b''], 'reals': np.array([1.5, 2.0])}
  read = decode_example(encode_example(written))
  assert read['bytes'] == [b'\xff\x00']
  assert read['text'] == ['é'.encode()]
  assert read['list'] == [b'a', b'']
  assert [np.asarray(read[name]).tolist() for name in ('one', 'many', 'real', 'reals')] == [[7], [1, -2], [0.5], [1.5, 2.0]]
  assert encode_example(dict(reversed(written.items()))) == encode_example(written)


def test_tensorflow_reads_them():
  example = pytest.importorskip('tensorflow', reason='TensorFlow is not installed: pip install mt3_synth[data]').train.Example
  features = example.FromString(encode_example({'x': [b'a', b'b'], 'y': 2.5})).features.feature
  assert list(features['x'].bytes_list.value) == [b'a', b'b']
  assert_array_equal(decode_example(example.FromString(BY_HAND).SerializeToString())['a'], [3, 300])
