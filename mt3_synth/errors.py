"""Errors a user can act on."""


class InputError(ValueError):
  """What the user gave can't be used: the message says what was found, what was expected and what to do.

  The command line prints it as one line and exits with status 2; a traceback means a fault of ours.
  """


class InputWarning(UserWarning):
  """The input was mended or shortened: the message says what was lost."""


class Stopped(Exception):
  """Work was asked to stop by a signal, and has saved what it had: the same command goes on.  The command line exits with status 75."""
