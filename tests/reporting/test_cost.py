import json

from mt3_synth.reporting.cost import training_minutes


def test_minutes_of_a_run_that_went_on_add_up(tmp_path):
  lines = [{'step': 1, 'seconds': 30}, {'step': 2, 'seconds': 60}, {'step': 2, 'seconds': 10}, {'step': 3, 'seconds': 120}]
  (tmp_path / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, lines)))
  assert training_minutes(str(tmp_path)) == 3


def test_a_checkpoint_that_is_no_run_has_none(tmp_path):
  assert training_minutes(str(tmp_path)) is None
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1}\n')
  assert training_minutes(str(tmp_path)) is None
