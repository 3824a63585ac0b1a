"""The configuration of a sweep."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SweepConfig:
  """What is compared, and how each cell is trained and judged.

  Words end in `.gin` (a gin file) or are bindings (`TRAIN_STEPS=100`).  Files are laid over one another in the order of axes, `common`,
  `combinations`, and then bindings in the same order.  `{AXIS}` and `{seed}` in any word stand for the cell's own.

  Attributes:
    axes: {axis: {value: words}}.  Every combination of values is a cell, unless `--set` chooses.
    common: words for every cell.
    combinations: {'AXIS=VALUE AXIS=VALUE': words} for the cells that have all those values.
    seeds: each cell is trained once with each.
    evaluations: {name: the arguments of `mt3-synth evaluate`, checkpoint and folder aside}.  Each has a report of its own.
    report: the arguments of `mt3-synth report`, folders and names aside.
    report_by: axes; besides the report of all cells there is one for each of their values, compared to its own first model.
    jobs: how many cells at a time; 0 is one on this machine, all at once on a cluster.
    resources: of each job, as submitit's `update_parameters` takes them, e.g. {'gpus_per_node': 1, 'slurm_partition': 'gpu'}.
  """

  axes: dict[str, dict[str, list[str]]]
  common: tuple[str, ...] = ()
  combinations: dict[str, list[str]] = field(default_factory=dict)
  seeds: tuple[int, ...] = (0,)
  evaluations: dict[str, list[str]] = field(default_factory=dict)
  report: tuple[str, ...] = ()
  report_by: tuple[str, ...] = ()
  jobs: int = 0
  resources: dict = field(default_factory=dict)
