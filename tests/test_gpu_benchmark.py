"""The benchmark for a GPU, at the smallest size and on the CPU. tests/gpu holds the tests for a GPU."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import gpu  # noqa: E402


@pytest.mark.slow
def test_it_runs_without_a_gpu(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--smoke", "--output", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    assert result["failed"] == []
    assert result["resumed"] is True
    assert result["extraction"]["documents_per_second"] > 0
    for name in gpu.RUNS:
        assert result[name]["seconds_per_step"] > 0
        assert result[name]["largest_difference"] < gpu.TOLERANCE.get(name, gpu.TOLERANCE["default"])


def test_losses_of_another_shape_or_not_a_number_differ_by_infinity():
    losses = [{"discriminator": 1.0, "generator": 2.0}]
    assert gpu.largest_difference([{"discriminator": 1.02, "generator": 2.0}], losses) == pytest.approx(0.02)
    assert gpu.largest_difference([], losses) == math.inf
    assert gpu.largest_difference([{"discriminator": 1.0}], losses) == math.inf
    assert gpu.largest_difference([{"discriminator": math.nan, "generator": 2.0}], losses) == math.inf


def test_the_peak_is_that_of_the_device(monkeypatch):
    def utilization(name: str) -> float | None:
        monkeypatch.setattr(gpu.torch.cuda, "get_device_name", lambda: name)
        return gpu.mfu(1e12)

    assert utilization("NVIDIA L40") == pytest.approx(utilization("NVIDIA L4") * 121 / 181, rel=1e-3)
    assert utilization("NVIDIA A10G") > utilization("NVIDIA A10") > utilization("NVIDIA A100-SXM4-80GB")
    assert utilization("unknown") is None
