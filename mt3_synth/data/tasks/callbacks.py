"""numpy functions inside tf.data."""

import atexit
import gc
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def call_numpy(function: Callable, inputs: Sequence[Any], *outputs: tuple[Any, list], stateful: bool = False) -> Any:
  """tf.numpy_function whose results have known shapes.

  Args:
    function: takes numpy arrays (bytes for strings), returns one array or a list.
    inputs: its arguments, tensors.
    outputs: (dtype, shape) of each result.
    stateful: whether it may give other results for the same arguments.

  Returns:
    a tensor, or a list of them where `outputs` has several.
  """
  dtypes = [dtype for dtype, _ in outputs]
  values = tf.numpy_function(function, inputs, dtypes if len(outputs) > 1 else dtypes[0], stateful=stateful)
  for value, (_, shape) in zip(values if len(outputs) > 1 else [values], outputs, strict=True):
    value.set_shape(shape)
  return values


@atexit.register
def _close_iterators() -> None:
  """Ends what is still being read when the interpreter ends.

  TensorFlow waits for its calls into numpy before it lets go of an iterator; those that the interpreter's end has overtaken never return,
  and the process would hang.
  """
  for each in gc.get_objects():
    if issubclass(type(each), tf.data.Iterator):  # isinstance would wake lazy modules and dead proxies
      vars(each).clear()
