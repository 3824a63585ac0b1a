"""Operations are counted from the program of a step."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from mt3_synth.training.utilisation import PEAKS, Utilisation, operations

A, B = jnp.zeros((2, 3)), jnp.zeros((3, 5))
PRODUCT = 2 * 2 * 3 * 5


def conv(x, kernel):
  return jax.lax.conv_general_dilated(x, kernel, (1,), 'SAME', dimension_numbers=('NWC', 'WIO', 'NWC'))


@pytest.mark.parametrize(
  ('function', 'arguments', 'expected'),
  [
    (jnp.dot, (A, B), PRODUCT),
    (jax.jit(lambda a, b: jnp.sin(a @ b) + 1), (A, B), PRODUCT),
    (jax.vmap(jnp.dot), (jnp.stack([A] * 4), jnp.stack([B] * 4)), 4 * PRODUCT),
    (lambda a, b: jax.lax.scan(lambda c, _: (c + (a @ b).sum(), None), 0.0, None, length=7), (A, B), 7 * PRODUCT),
    (lambda a, b: jax.lax.cond(a[0, 0] > 0, lambda: a @ b, lambda: (a @ b) @ jnp.zeros((5, 5))), (A, B), PRODUCT + 2 * 2 * 5 * 5),
    (jax.grad(lambda a, b: (a @ b).sum(), (0, 1)), (A, B), 3 * PRODUCT),
    (jax.grad(jax.checkpoint(lambda a, b: jnp.sin(jnp.sin(a @ b)).sum()), (0, 1)), (A, B), 4 * PRODUCT),
    (conv, (jnp.zeros((2, 8, 3)), jnp.zeros((5, 3, 4))), 2 * (2 * 8 * 4) * 5 * 3),
  ],
)  # fmt: skip
def test_products_are_counted_wherever_they_stand(function, arguments, expected):
  assert operations(jax.make_jaxpr(function)(*arguments).jaxpr) == expected


def test_a_share_of_the_peak_is_told_where_it_is_known(monkeypatch):
  learner: Any = SimpleNamespace(train_step=lambda state, batch, key: (state @ batch, {}))
  assert Utilisation().of(learner, A, B, jax.random.key(0), 10.0) == {}
  monkeypatch.setitem(PEAKS, jax.devices()[0].device_kind, 6000.0)
  found = Utilisation().of(learner, A, B, jax.random.key(0), 10.0)
  assert found == {'utilisation': pytest.approx(PRODUCT * 10 / 6000 / jax.device_count())}
