"""Being asked to stop."""

import os
import signal
import threading

import pytest

from mt3_synth.training.stopping import Stopping


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_noted_and_the_second_is_as_ever(number, capsys):
  before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the other's, so that both can be caught here
  try:
    with Stopping() as stopping:
      assert not stopping.after(1)
      os.kill(os.getpid(), number)
      assert stopping.asked
      assert stopping.after(2)
      assert f'{number.name}: saving after this step; once more stops at once' in capsys.readouterr().err
      with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
  finally:
    signal.signal(signal.SIGTERM, before)


def test_handlers_are_as_before_when_nobody_asked():
  before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
  with Stopping():
    assert signal.getsignal(signal.SIGTERM) not in before
  assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_thread_other_than_the_first_trains_without():
  done = []

  def train():
    with Stopping() as stopping:
      done.append(stopping.after(1))

  thread = threading.Thread(target=train)
  thread.start()
  thread.join()
  assert done == [False]
