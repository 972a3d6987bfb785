"""Skip the tests of this folder where PyTorch sees no CUDA device.

The conftest of the folder above hides the devices from all other tests; ELECTRA_IE_GPU_TESTS=1 shows them: `make
test-gpu`.
"""

from __future__ import annotations

import os

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    hidden = not os.environ.get("ELECTRA_IE_GPU_TESTS")
    reason = "needs a CUDA device: on a machine with one, run `make test-gpu`" if hidden else "no CUDA device was found"
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason=reason))
