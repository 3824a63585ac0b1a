"""Small files of a run."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
  """Writes a file that is never seen half written; raises OSError as writing does."""
  part = path.with_name(f'{path.name}.part')
  part.write_text(text)
  os.replace(part, path)
