"""tf.train.Example, the record of TFDS and of earlier corpora, without TensorFlow.

The message is described here and compiled by protobuf's own C code, in a pool of its own so that TensorFlow's copy is not in the way.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from mt3_synth.errors import InputError

Value = bytes | np.ndarray | list[bytes]


def encode_example(features: Mapping[str, Value | str | int | float]) -> bytes:
  """A serialized tf.train.Example; equal features give equal bytes.

  Args:
    features: name -> bytes or str (a bytes_list), floats (a float_list) or integers (an int64_list), one value or a sequence.
  """
  example = _Example()
  for name, value in features.items():
    values = [value] if isinstance(value, (bytes, str, int, float)) else list(value)
    feature = example.features.feature[name]
    if isinstance(values[0] if values else b'', (bytes, str)):
      feature.bytes_list.value.extend(each.encode() if isinstance(each, str) else each for each in values)
    elif isinstance(values[0], (float, np.floating)):
      feature.float_list.value.extend(values)
    else:
      feature.int64_list.value.extend(int(each) for each in values)
  return example.SerializeToString(deterministic=True)


def decode_example(record: bytes, source: str = 'record') -> dict[str, Value]:
  """name -> list of bytes, or float32 or int64 [n].

  Raises:
    InputError: the bytes are no tf.train.Example; `source` is named.
  """
  try:
    features = _Example.FromString(record).features.feature
  except DecodeError as e:
    raise InputError(f'{source}: {len(record)} bytes that are no tf.train.Example ({e}); prepare it again') from None
  return {name: _value(features[name]) for name in features}


def _value(feature) -> Value:
  kind = feature.WhichOneof('kind')
  if kind == 'float_list':
    return np.array(feature.float_list.value, np.float32)
  if kind == 'int64_list':
    return np.array(feature.int64_list.value, np.int64)
  return list(feature.bytes_list.value)


def _example_class() -> Any:
  field = descriptor_pb2.FieldDescriptorProto
  file = descriptor_pb2.FileDescriptorProto(name='mt3_synth/example.proto', package='mt3_synth.example', syntax='proto3')

  def message(name, *fields, oneof=None):
    proto = file.message_type.add(name=name)
    for number, (label, kind, field_name, type_name) in enumerate(fields, 1):
      each = proto.field.add(name=field_name, number=number, label=label, type=kind, type_name=type_name)
      if oneof:
        each.oneof_index = 0
    if oneof:
      proto.oneof_decl.add(name=oneof)
    return proto

  one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
  inside = lambda name: f'.mt3_synth.example.{name}'
  message('BytesList', (many, field.TYPE_BYTES, 'value', None))
  message('FloatList', (many, field.TYPE_FLOAT, 'value', None))
  message('Int64List', (many, field.TYPE_INT64, 'value', None))
  kinds = (('bytes_list', 'BytesList'), ('float_list', 'FloatList'), ('int64_list', 'Int64List'))
  message('Feature', *((one, field.TYPE_MESSAGE, name, inside(of)) for name, of in kinds), oneof='kind')
  features = message('Features', (many, field.TYPE_MESSAGE, 'feature', inside('Features.FeatureEntry')))
  entry = features.nested_type.add(name='FeatureEntry')
  entry.options.map_entry = True
  entry.field.add(name='key', number=1, label=one, type=field.TYPE_STRING)
  entry.field.add(name='value', number=2, label=one, type=field.TYPE_MESSAGE, type_name=inside('Feature'))
  message('Example', (one, field.TYPE_MESSAGE, 'features', inside('Features')))
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  return message_factory.GetMessageClass(pool.FindMessageTypeByName('mt3_synth.example.Example'))


_Example = _example_class()
