"""Importing this module registers the tasks of the corpora in the folder MT3_SYNTH_DATA_DIR, for tools that take a module's name:

MT3_SYNTH_DATA_DIR=corpora python -m seqio.scripts.cache_tasks_main --module_import=mt3_synth.data.tasks.registered ...
"""

import os

from mt3_synth.data.tasks.registry import register_published
from mt3_synth.errors import InputError

VARIABLE = 'MT3_SYNTH_DATA_DIR'

if not os.environ.get(VARIABLE):
  raise InputError(f'{VARIABLE} is not set; set it to the folder into which `mt3-synth prepare` wrote')
NAMES = register_published(os.environ[VARIABLE])
