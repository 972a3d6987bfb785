"""A lock for what the whole process shares and libraries change, such as the filters of warnings."""

from __future__ import annotations

import threading

PROCESS_STATE = threading.RLock()
"""Held while filters of warnings, levels of loggers or settings of a library are changed and until they are restored.

Two threads that save and restore them in turn would leave the values of the first in place for good. It is acquired
before `MODEL_LOCK` of `electra_ie.models.encoders` and never while that one is held.
"""
