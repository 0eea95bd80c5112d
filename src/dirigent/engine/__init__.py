"""The facade: one door for people and programs to executions."""

from dirigent.engine.facade import Engine as Engine
from dirigent.engine.facade import Start as Start
from dirigent.engine.signals import SIGNAL_BYTES_MAX as SIGNAL_BYTES_MAX
