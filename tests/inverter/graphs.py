"""Small inverters on disk, of the kinds that are published: [B, T, 128] log-mel -> [B, T 320], a convolution over seven frames."""

from pathlib import Path

import numpy as np

BANDS, HOP, TAPS = 128, 320, 7
KERNEL = (np.random.default_rng(0).normal(size=(HOP, BANDS, TAPS)) / 200).astype(np.float32)  # [out, in, taps]


def expected(mel: np.ndarray) -> np.ndarray:
  """What the inverters give, [B, T HOP]."""
  padded = np.pad(mel, [(0, 0), (TAPS // 2, TAPS // 2), (0, 0)])
  frames = sum(padded[:, k : k + mel.shape[1]] @ KERNEL[:, :, k].T for k in range(TAPS))
  return np.asarray(frames).reshape(len(mel), -1)


def write_onnx(file: Path, frames: int | str = 'frames', bands: int = BANDS, inputs: int = 1) -> Path:
  """A graph in ONNX's protobuf, written field by field: transpose, Conv, transpose, reshape to [B, samples]."""
  value = lambda name, shape: _bytes(1, name) + _bytes(2, _bytes(1, _int(1, 1) + _bytes(2, b''.join(_bytes(1, _size(n)) for n in shape))))
  nodes = [
    _node('Transpose', ['input_features'], 'across', _ints('perm', [0, 2, 1])),
    _node('Conv', ['across', 'kernel'], 'sound', _ints('pads', [TAPS // 2] * 2)),
    _node('Transpose', ['sound'], 'frames', _ints('perm', [0, 2, 1])),
    _node('Reshape', ['frames', 'flat'], 'audio'),
  ]
  kernel = np.ascontiguousarray(KERNEL[:, :bands])
  tensors = [_tensor('kernel', kernel, 1), _tensor('flat', np.array([0, -1], np.int64), 7)]
  names = ['input_features', 'other'][:inputs]
  graph = b''.join(_bytes(1, node) for node in nodes) + _bytes(2, 'decoder') + b''.join(_bytes(5, tensor) for tensor in tensors)
  graph += b''.join(_bytes(11, value(name, ['batch', frames, bands])) for name in names)
  graph += _bytes(12, value('audio', ['batch', 'samples']))
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_bytes(_int(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, '') + _int(2, 13)))
  return file


def _varint(number: int) -> bytes:
  return bytes([number]) if number < 128 else bytes([number % 128 + 128]) + _varint(number // 128)


def _int(field: int, number: int) -> bytes:
  return _varint(field * 8) + _varint(number)


def _bytes(field: int, content: bytes | str) -> bytes:
  data = content.encode() if isinstance(content, str) else content
  return _varint(field * 8 + 2) + _varint(len(data)) + data


def _size(size: int | str) -> bytes:
  return _int(1, size) if isinstance(size, int) else _bytes(2, size)


def _node(kind: str, inputs: list[str], output: str, attribute: bytes | None = None) -> bytes:
  node = b''.join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, kind)
  return node if attribute is None else node + _bytes(5, attribute)


def _ints(name: str, numbers: list[int]) -> bytes:
  return _bytes(1, name) + b''.join(_int(8, number) for number in numbers) + _int(20, 7)


def _tensor(name: str, array: np.ndarray, kind: int) -> bytes:
  return b''.join(_int(1, size) for size in array.shape) + _int(2, kind) + _bytes(8, name) + _bytes(9, array.tobytes())
