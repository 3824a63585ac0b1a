"""The folder of a prepared corpus: unfinished beside its place, complete once it has its name.

An unfinished preparation is OUT/CORPUS/CONFIG/VERSION.incomplete; renaming it to VERSION is the last thing done, so what has that name is
whole.  TFDS takes only that name for a dataset.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data_prep.corpus import Skipped
from data_prep.prepare.metadata import write_metadata
from data_prep.prepare.plan import VERSION, Plan, Shard
from data_prep.prepare.shard import REPORTS, Remark, Written, read_written, remove_parts
from mt3_synth.data.prepared import INCOMPLETE, read_songs, songs_file, write_songs
from mt3_synth.errors import InputError

PLAN = 'plan.json'
SKIPPED = 'skipped.json'
_BYTES_PER_SECOND = 32000  # of int16 audio; the rest is little


@dataclass(frozen=True)
class Prepared:
  """A finished preparation.

  Attributes:
    folder: where it is.
    songs, seconds, bytes: what is in it.
    skipped: songs that are not in it.
    remarks: warnings about songs that are.
    new: whether something was done; else all was there.
  """

  folder: Path
  songs: int
  seconds: float
  bytes: int
  skipped: list[Skipped]
  remarks: list[Remark]
  new: bool


def final_folder(plan: Plan, out: Path) -> Path:
  return out / plan.corpus.name / plan.config / VERSION


def work_folder(plan: Plan, out: Path) -> Path:
  return final_folder(plan, out).with_name(f'{VERSION}{INCOMPLETE}')


def read_finished(plan: Plan, out: Path) -> Prepared | None:
  """What an earlier run of the same plan finished; None when there is none.

  Raises:
    InputError: something else is there.
  """
  folder = final_folder(plan, out)
  if not folder.exists():
    return None
  _same_plan(plan, folder)
  shutil.rmtree(folder / REPORTS, ignore_errors=True)  # of a run that was killed at the very last
  songs = [song for split in _splits(plan) if songs_file(folder, split).exists() for song in read_songs(songs_file(folder, split))]
  told = json.loads((folder / SKIPPED).read_text())
  size = sum(file.stat().st_size for file in folder.glob(f'{plan.corpus.name}-*'))
  skipped, remarks = [Skipped(**each) for each in told['skipped']], [Remark(**each) for each in told['remarks']]
  return Prepared(folder, len(songs), sum(song.samples for song in songs) / 16000, size, skipped, remarks, new=False)


def claim(plan: Plan, out: Path) -> list[Shard]:
  """Makes the work folder, or takes over that of an earlier run of the same plan.

  Returns:
    what is still to be written.

  Raises:
    InputError: another plan's work is there, the folder can't be written to, or the disk is too small.
  """
  if any((out / name).exists() for name in (PLAN, 'dataset_info.json')):
    raise InputError(f'{out}: is a prepared corpus itself; give --out the folder in which {plan.corpus.name}/ is to be made')
  work = work_folder(plan, out)
  try:
    work.mkdir(parents=True, exist_ok=True)
    if any(not path.name.startswith('.') for path in work.iterdir()):
      _same_plan(plan, work)
    else:
      (work / f'.{PLAN}').write_text(_plan_text(plan))
      (work / f'.{PLAN}').rename(work / PLAN)
    remove_parts(work)
    (work / REPORTS).mkdir(exist_ok=True)
  except OSError as e:
    raise InputError(f'{work}: cannot be written ({e.strerror or e}); choose another --out') from None
  todo = [shard for shard in plan.shards if not read_written(shard, work)]
  needed = _BYTES_PER_SECOND * sum(song.seconds for shard in todo for song in shard.songs)
  free = shutil.disk_usage(work).free
  if free < needed:
    raise InputError(f'{out}: {free / 1e9:.1f} GB are free, about {needed / 1e9:.1f} GB are needed; make room or choose another --out')
  return todo


def complete(plan: Plan, out: Path, destination: Path | None = None) -> Prepared:
  """Makes a dataset of the files, all of which are written.

  Args:
    plan: whose.
    out: folder of folders.
    destination: what the work folder becomes, in place of the final one; if it is there, it is empty.

  Raises:
    InputError: no song could be used.
  """
  work, final = work_folder(plan, out), destination or final_folder(plan, out)
  reports = [report for shard in plan.shards if (report := read_written(shard, work))]
  missing = len(plan.shards) - len(reports)
  if missing:
    raise InputError(f'{work}: {missing} of {len(plan.shards)} files are not written; the same command goes on')
  skipped = [*plan.skipped, *(song for report in reports for song in report.skipped)]
  remarks = [remark for report in reports for remark in report.remarks]
  by_split = {split: [report for report in reports if report.split == split] for split in _splits(plan)}
  taken = {split: of_split for split, of_split in by_split.items() if any(report.songs for report in of_split)}
  if not taken:
    shutil.rmtree(work)
    raise InputError(f'none of the {len(skipped)} songs of {plan.corpus.name} can be used; the first: {skipped[0].message}')
  for split, of_split in by_split.items():
    if split in taken:
      write_songs(songs_file(work, split), [song for report in of_split for song in report.songs])
    else:
      for report in of_split:
        (work / report.name).unlink(missing_ok=True)
  told = {'skipped': [asdict(song) for song in skipped], 'remarks': [asdict(remark) for remark in remarks]}
  (work / SKIPPED).write_text(json.dumps(told, indent=1) + '\n')
  write_metadata(plan, work, taken)
  remove_parts(work)  # of writers on other machines that were killed
  return _publish(work, final, taken, skipped, remarks)


def _publish(work: Path, final: Path, taken: dict[str, list[Written]], skipped: list[Skipped], remarks: list[Remark]) -> Prepared:
  reports = [report for of_split in taken.values() for report in of_split]
  work.rename(final)
  shutil.rmtree(final / REPORTS)
  songs = [song for report in reports for song in report.songs]
  seconds, size = sum(song.samples for song in songs) / 16000, sum(report.bytes for report in reports)
  return Prepared(final, len(songs), seconds, size, skipped, remarks, new=True)


def _splits(plan: Plan) -> Sequence[str]:
  return list(dict.fromkeys(shard.split for shard in plan.shards))


def _plan_text(plan: Plan) -> str:
  told = {
    'digest': plan.digest,
    'corpus': plan.corpus.name,
    'config': plan.config,
    'version': VERSION,
    'options': dict(plan.options),
    'songs': plan.songs,
    'hours': round(plan.seconds / 3600, 3),
  }
  return json.dumps(told, indent=1) + '\n'


def _same_plan(plan: Plan, folder: Path) -> None:
  expected = json.loads(_plan_text(plan))
  try:
    found = json.loads((folder / PLAN).read_text())
    differing = {name: found[name] for name in expected if found[name] != expected[name]}
  except (OSError, ValueError, KeyError, TypeError):
    raise InputError(f'{folder}: is there, and not made by `mt3-synth prepare`; move it away or choose another --out') from None
  if differing:
    told = [name for name in differing if name != 'digest']
    which = ', '.join(f'{name} {found[name]}, now {expected[name]}' for name in told) or 'as many songs, but others'
    raise InputError(
      f'{folder}: was begun from another source or with other options ({which}); give those, remove the folder, or choose another --out'
    )
