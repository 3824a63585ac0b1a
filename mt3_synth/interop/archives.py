"""Zip archives of checkpoints, unpacked to a folder that is gone afterwards."""

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mt3_synth.errors import InputError


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
  """The folder with what `archive` holds.

  Raises:
    InputError: it is no whole zip, a name in it leads out of the folder, or it does not fit the disk.
  """
  with tempfile.TemporaryDirectory(prefix='mt3_synth_') as folder:
    try:
      with zipfile.ZipFile(archive) as held:
        _check(held, archive, Path(folder))
        held.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as e:
      raise InputError(f'{archive}: no zip archive, or cut short ({e}); download it again') from None
    except (RuntimeError, NotImplementedError) as e:  # what zipfile says of encryption and of compressions it does not know
      raise InputError(f'{archive}: can not be unpacked here ({e}); unpack it and give the folder') from None
    except OSError as e:
      raise InputError(f'{archive}: {e.strerror or e}') from None
    yield Path(folder)


def _check(held: zipfile.ZipFile, archive: Path, folder: Path) -> None:
  for info in held.infolist():
    path = PurePosixPath(info.filename.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts or ':' in ''.join(path.parts[:1]) or stat.S_ISLNK(info.external_attr >> 16):
      raise InputError(f'{archive}: holds {info.filename!r}, which leads out of the archive; not unpacked')
  size, free = sum(info.file_size for info in held.infolist()), shutil.disk_usage(folder).free
  if size > free:
    raise InputError(f'{archive}: unpacks to {size / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB free; set TMPDIR to a larger disk')
