"""Random draws that are the same on every machine and in every version of Python."""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar('T')


class Draw:
  """A stream of draws named by its seed; `child` starts an independent one.

  Built on `random.Random.random` alone, the one method whose sequence Python promises to keep.
  """

  def __init__(self, seed: str):
    self.seed = seed
    self._stream = random.Random(seed)

  def child(self, name: object) -> 'Draw':
    return Draw(f'{self.seed}/{name}')

  def uniform(self, low: float, high: float) -> float:
    return low + (high - low) * self._stream.random()

  def spread(self, width: float) -> float:
    """Around 0, within ±width, most often near 0."""
    return width * (self._stream.random() + self._stream.random() - 1)

  def integer(self, low: int, high: int) -> int:
    """From low to high, both included."""
    return low + int((high - low + 1) * self._stream.random())

  def chance(self, probability: float) -> bool:
    return self._stream.random() < probability

  def pick(self, items: Sequence[T]) -> T:
    return items[int(len(items) * self._stream.random())]

  def weighted(self, weights: Mapping[T, float]) -> T:
    at = self._stream.random() * sum(weights.values())
    for item, weight in weights.items():
      at -= weight
      if at < 0:
        return item
    return next(reversed(list(weights)))

  def shuffled(self, items: Sequence[T]) -> list[T]:
    left = list(items)
    return [left.pop(int(len(left) * self._stream.random())) for _ in range(len(left))]
