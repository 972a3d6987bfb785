"""Accelerate's shared state: a caller that uses Accelerate keeps its own accelerator during `train`."""

from __future__ import annotations

import pytest
import tiny
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from electra_ie import pretrain, train
from electra_ie.common.errors import UserError
from electra_ie.training.loop import has_bf16, make_accelerator, own_states
from electra_ie.training.trainer import Trainer

CLASSES = (PartialState, AcceleratorState, GradientState)


@pytest.fixture(autouse=True)
def fresh():
    """Start each test with empty shared states, and restore them afterwards."""
    with own_states():
        for state_class in CLASSES:
            state_class._shared_state.clear()
        yield


def steps_of(accelerator, model, optimizer, batches):
    """Accumulate gradients over batches; return the weight after each batch."""
    weights = []
    for value in batches:
        with accelerator.accumulate(model):
            accelerator.backward(model(torch.tensor([[value]])).sum())
            optimizer.step()
            optimizer.zero_grad()
        weights.append(round(float(model.weight.detach()), 6))
    return weights


def prepare(accelerator):
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    return accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))


def corpus(folder):
    (folder / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    return folder / "texts.txt"


def train_both(task, folder, encoder):
    """Train a run with a teacher in bf16, and pretrain in float32."""
    tiny.without(task, "risks", "names")
    train(str(task), folder / "run", **tiny.settings(encoder("bert"), "adversarial", max_steps=2, precision="bf16"))
    pretrain(corpus(folder), folder / "encoder", encoder=encoder("electra"), precision="no", block_length=16, batch_size=4, max_steps=4,
             num_evaluations=1, held_out=0.1)  # fmt: skip


def test_accelerator_of_the_caller_is_unchanged(task, tmp_path, encoder):
    accelerator = Accelerator(cpu=True, mixed_precision="no", gradient_accumulation_steps=3)
    model, optimizer = prepare(accelerator)
    assert steps_of(accelerator, model, optimizer, [3.0]) == [0.0], "the first of three steps changed the weight"
    states = [(state_class._shared_state, dict(state_class._shared_state)) for state_class in CLASSES]
    train_both(task, tmp_path, encoder)
    for state_class, (state, content) in zip(CLASSES, states, strict=True):
        assert state_class._shared_state is state and state == content
    assert (accelerator.mixed_precision, accelerator.gradient_accumulation_steps) == ("no", 3)
    assert (AcceleratorState().mixed_precision, GradientState().num_steps) == ("no", 3)
    # The optimizer steps after three batches, by the mean gradient of 3, 6 and 9.
    assert steps_of(accelerator, model, optimizer, [6.0, 9.0, 1.0, 1.0, 1.0]) == [0.0, -6.0, -6.0, -6.0, -7.0]
    model, optimizer = prepare(accelerator)
    assert steps_of(accelerator, model, optimizer, [3.0, 3.0, 3.0]) == [0.0, 0.0, -3.0], "a new model fails"


@pytest.mark.slow
def test_training_ignores_the_accelerator_of_the_caller(task, tmp_path, encoder, finished):
    """In the middle of an accumulation, an optimizer with the caller's state would not step."""
    settings = tiny.settings(encoder("bert"), "adversarial", max_steps=4)
    alone = finished(tmp_path / "alone", "adversarial", max_steps=4)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
    with accelerator.accumulate(prepare(accelerator)[0]):
        assert not GradientState().sync_gradients
        within = train(str(task), tmp_path / "within", **settings).path
        assert not GradientState().sync_gradients
    for field in ("names", "topic", "risks"):
        files = [run / field / "model.safetensors" for run in (alone, within)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_caller_without_an_accelerator_can_still_choose_its_precision(task, tmp_path, encoder):
    train_both(task, tmp_path, encoder)
    assert [state_class._shared_state for state_class in CLASSES] == [{}, {}, {}]
    assert Accelerator(cpu=True, mixed_precision="bf16").mixed_precision == "bf16"


def test_failing_run_restores_the_states(task, tmp_path, encoder, monkeypatch):
    accelerator = Accelerator(cpu=True, mixed_precision="no", gradient_accumulation_steps=3)
    states = [state_class._shared_state for state_class in CLASSES]
    seen = []

    def fail(self, *rest):
        seen.append((AcceleratorState().mixed_precision, GradientState().num_steps))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_train", fail)
    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "run", **tiny.settings(encoder("bert"), "supervised", precision="bf16"))
    assert seen == [("bf16", 1)], "the run used the states of the caller"
    assert all(state_class._shared_state is state for state_class, state in zip(CLASSES, states, strict=True))
    assert (accelerator.mixed_precision, accelerator.gradient_accumulation_steps) == ("no", 3)


def test_accelerators_of_different_precisions_coexist():
    one, other = make_accelerator("bf16"), make_accelerator("no")
    assert (one.mixed_precision, other.mixed_precision) == ("bf16", "no")
    one.gradient_accumulation_steps = 5
    assert other.gradient_accumulation_steps == 1


@pytest.mark.parametrize("emulated", [True, False])
def test_bf16_is_chosen_on_a_gpu_with_instructions_for_it_only(monkeypatch, emulated):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or not emulated
    )
    assert has_bf16() is not emulated


def test_a_batch_with_fewer_windows_than_processes_is_refused(task, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", 16)
    settings = tiny.settings(encoder("bert"), "supervised", batch_size=8)
    with pytest.raises(UserError, match="a batch has 8 windows for 16 processes. Give a larger batch_size"):
        train(str(task), tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
