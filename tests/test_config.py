import dataclasses
import json
from dataclasses import dataclass, field
from typing import Literal

import pytest

from mt3_synth.config import MelConfig, ModelConfig, NetworkConfig, NotesConfig, from_json, to_json
from mt3_synth.errors import InputError
from mt3_synth.training.config import OptimizerConfig, TrainConfig


@dataclass(frozen=True)
class Inner:
  rate: float = 0.5
  name: Literal['plain', 'fancy'] = 'plain'


@dataclass(frozen=True)
class Outer:
  steps: int
  parts: tuple[str, ...] = ()
  inner: Inner = field(default_factory=Inner)
  strict: bool = False
  limit: int | None = None


@dataclass(frozen=True)
class Other:
  rate: float
  depth: int = 3


@dataclass(frozen=True)
class Either:
  part: Inner | Other = field(default_factory=Inner)


def test_what_is_written_is_read_again():
  model = ModelConfig(MelConfig(hop=160), NotesConfig(programs='flat'), NetworkConfig(conditioning='aligned', dropout=0.0))
  run = TrainConfig('runs/a', ('embedded', 'b'), model=model, optimizer=OptimizerConfig('adamw', clip_norm=1.0), total_steps=3)
  assert from_json(TrainConfig, to_json(run)) == run
  outer = Outer(1, ('a',), Inner(2.0, 'fancy'), True, 4)
  assert from_json(Outer, to_json(outer)) == outer
  assert from_json(Outer, to_json(Outer(1))) == Outer(1)


def test_every_field_is_written_out():
  written = json.loads(to_json(ModelConfig()))
  assert written['mel']['hop'] == 320
  assert set(written['network']) == {each.name for each in dataclasses.fields(NetworkConfig)}


def test_what_is_left_out_has_its_default():
  assert from_json(Outer, '{"steps": 2}') == Outer(2)


def test_a_whole_number_will_do_for_a_real_one():
  inner = from_json(Inner, '{"rate": 2}')
  assert inner.rate == 2.0
  assert isinstance(inner.rate, float)


@pytest.mark.parametrize('part', [Inner(), Inner(1.0, 'fancy'), Other(1.0), Other(2.0, 1)])
def test_of_several_kinds_the_one_that_has_the_fields_is_built(part):
  assert from_json(Either, to_json(Either(part))) == Either(part)
  assert from_json(Inner | Other, to_json(part)) == part


@pytest.mark.parametrize(
  ('part', 'says'),
  [
    ('{"rate": 1, "depth": 2, "width": 1}', 'unknown field part.width; Other has rate, depth'),
    ('{"depth": 2}', 'field part.rate is missing'),
    ('{"depth": "2", "rate": 1}', "field part.depth is '2', expected int"),
    ('3', 'field part is 3, expected an object'),
  ],
)
def test_what_is_of_no_kind_is_told_of_the_nearest(part, says):
  with pytest.raises(InputError, match=says):
    from_json(Either, f'{{"part": {part}}}', 'a.json')


@pytest.mark.parametrize(
  ('text', 'says'),
  [
    ('{"steps": 1', r'a\.json: not JSON'),
    ('', r'a\.json: not JSON'),
    ('[1]', r'a\.json: the top level is \[1\], expected an object'),
    ('{}', r'a\.json: field steps is missing'),
    ('{"stpes": 1}', r'a\.json: unknown field stpes; Outer has steps, parts'),
    ('{"steps": 1, "inner": {"speed": 1}}', r'a\.json: unknown field inner\.speed; Inner has rate, name'),
    ('{"steps": 1, "inner": 3}', r'a\.json: field inner is 3, expected an object'),
    ('{"steps": "1"}', r"a\.json: field steps is '1', expected int"),
    ('{"steps": 1.5}', r'a\.json: field steps is 1\.5, expected int'),
    ('{"steps": true}', r'a\.json: field steps is True, expected int'),
    ('{"steps": 1, "inner": {"rate": "fast"}}', r"a\.json: field inner\.rate is 'fast', expected float"),
    ('{"steps": 1, "inner": {"rate": null}}', r'a\.json: field inner\.rate is None, expected float'),
    ('{"steps": 1, "inner": {"name": "odd"}}', r"a\.json: field inner\.name is 'odd', expected one of 'plain', 'fancy'"),
    ('{"steps": 1, "parts": "embedded"}', r"a\.json: field parts is 'embedded', expected a list of str"),
    ('{"steps": 1, "parts": ["a", 2]}', r"a\.json: field parts is \['a', 2\], expected a list of str"),
    ('{"steps": 1, "strict": 0}', r'a\.json: field strict is 0, expected bool'),
    ('{"steps": 1, "limit": "x"}', r"a\.json: field limit is 'x', expected int \| None"),
  ],
)
def test_a_bad_field_is_named(text, says):
  with pytest.raises(InputError, match=f'^{says}'):
    from_json(Outer, text, 'a.json')
