"""When FluidSynth's own player sends the events of a file (2.3, fluid_midi.c), to hold a rendering beside the program's.

The player looks at its clock once a block of samples, in whole milliseconds, rounds to the nearest tick, and sends what is due; at a
change of tempo it starts anew from the tick and the millisecond it has reached.  So events come up to half a tick early, and a file with
many changes of tempo drifts by tens of milliseconds.
"""

import bisect
import math
from collections.abc import Callable, Iterable

BLOCK = 64  # samples between two looks at the clock
DEFAULT_TEMPO = 500000  # microseconds a beat, until the file says otherwise


def player_clock(tempi: Iterable[tuple[int, int]], ticks_per_beat: int, sample_rate: int) -> Callable[[int], float]:
  """The time [s], a whole millisecond, from which on the player sends an event, by its tick.

  Args:
    tempi: (tick, microseconds a beat) of each change, in order.
    ticks_per_beat: of the file.
    sample_rate: of the synthesis [Hz].
  """
  starts, marks = [0], [(0, 0, DEFAULT_TEMPO / ticks_per_beat / 1000)]  # of a mark: tick reached, at millisecond, milliseconds a tick

  def due(tick: int) -> int:
    reached, since, per_tick = marks[bisect.bisect_right(starts, tick) - 1]
    return since + max(math.ceil((tick - reached - 0.5) * per_tick), 0)

  for tick, tempo in tempi:
    block = -(-due(tick) * sample_rate // (1000 * BLOCK))
    now = 1000 * BLOCK * block // sample_rate
    reached, since, per_tick = marks[-1]
    marks.append((reached + int((now - since) / per_tick + 0.5), now, tempo / ticks_per_beat / 1000))
    starts.append(tick)
  return lambda tick: due(tick) / 1000
