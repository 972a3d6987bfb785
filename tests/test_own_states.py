"""A program that trains something else with Accelerate keeps its own accelerator, whatever is trained beside it."""

from __future__ import annotations

import pytest
import tiny
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from electra_ie import pretrain, train
from electra_ie.training.loop import make_accelerator, own_states
from electra_ie.training.trainer import Trainer

CLASSES = (PartialState, AcceleratorState, GradientState)


@pytest.fixture(autouse=True)
def fresh():
    """Each test begins as a Python does that has not used Accelerate, and leaves no trace."""
    with own_states():
        for each in CLASSES:
            each._shared_state.clear()
        yield


def steps_of(accelerator, model, optimizer, batches):
    """Accumulate over batches; the weight after each."""
    seen = []
    for value in batches:
        with accelerator.accumulate(model):
            accelerator.backward(model(torch.tensor([[value]])).sum())
            optimizer.step()
            optimizer.zero_grad()
        seen.append(round(float(model.weight.detach()), 6))
    return seen


def players(accelerator):
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    return accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))


def corpus(folder):
    (folder / "texts.txt").write_text("\n\n".join(tiny.TEXTS), encoding="utf-8")
    return folder / "texts.txt"


def train_both(task, folder, encoder):
    """A run with a teacher within, in bf16, and a pretraining in float32."""
    train(str(task), folder / "run", precision="bf16", **tiny.settings(encoder("bert"), "adversarial"))
    pretrain(corpus(folder), folder / "made", encoder=encoder("electra"), precision="no", block_length=16, batch_size=4, max_steps=4,
             num_evaluations=1, held_out=0.1)  # fmt: skip


def test_the_callers_accelerator_is_as_it_was(task, tmp_path, encoder):
    mine = Accelerator(cpu=True, mixed_precision="no", gradient_accumulation_steps=3)
    model, optimizer = players(mine)
    assert steps_of(mine, model, optimizer, [3.0]) == [0.0], "the first of three"
    states = [(each._shared_state, dict(each._shared_state)) for each in CLASSES]
    train_both(task, tmp_path, encoder)
    for each, (state, content) in zip(CLASSES, states, strict=True):
        assert each._shared_state is state
        assert state == content
    assert (mine.mixed_precision, mine.gradient_accumulation_steps) == ("no", 3)
    assert (AcceleratorState().mixed_precision, GradientState().num_steps) == ("no", 3)
    # The mean of 3, 6 and 9, each a third of a step, is taken off at the third, and not before.
    assert steps_of(mine, model, optimizer, [6.0, 9.0, 1.0, 1.0, 1.0]) == [0.0, -6.0, -6.0, -6.0, -7.0]
    other, its = players(mine)
    assert steps_of(mine, other, its, [3.0, 3.0, 3.0]) == [0.0, 0.0, -3.0], "and prepares more"


def test_our_training_does_not_notice_the_callers_accelerator(task, tmp_path, encoder, finished):
    """In the midst of an accumulation no optimiser of the caller's state would step."""
    settings = tiny.settings(encoder("bert"), "adversarial")
    alone = finished(tmp_path / "alone", "adversarial")
    mine = Accelerator(cpu=True, gradient_accumulation_steps=3)
    with mine.accumulate(players(mine)[0]):
        assert not GradientState().sync_gradients
        beside = train(str(task), tmp_path / "beside", **settings).path
        assert not GradientState().sync_gradients
    for field in ("names", "topic", "risks"):
        files = [run / field / "model.safetensors" for run in (alone, beside)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_caller_that_had_no_accelerator_is_free_to_choose(task, tmp_path, encoder):
    train_both(task, tmp_path, encoder)
    assert [each._shared_state for each in CLASSES] == [{}, {}, {}]
    assert Accelerator(cpu=True, mixed_precision="bf16").mixed_precision == "bf16"


def test_a_run_that_fails_gives_the_states_back(task, tmp_path, encoder, monkeypatch):
    mine = Accelerator(cpu=True, mixed_precision="no", gradient_accumulation_steps=3)
    states = [each._shared_state for each in CLASSES]
    seen = []

    def fail(self, *rest):
        seen.append((AcceleratorState().mixed_precision, GradientState().num_steps))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_train", fail)
    with pytest.raises(KeyboardInterrupt):
        train(str(task), tmp_path / "run", precision="bf16", **tiny.settings(encoder("bert"), "supervised"))
    assert seen == [("bf16", 1)], "it had states of its own"
    assert all(each._shared_state is state for each, state in zip(CLASSES, states, strict=True))
    assert (mine.mixed_precision, mine.gradient_accumulation_steps) == ("no", 3)


def test_accelerators_of_several_precisions_live_beside_one_another():
    one, other = make_accelerator("bf16"), make_accelerator("no")
    assert (one.mixed_precision, other.mixed_precision) == ("bf16", "no")
    one.gradient_accumulation_steps = 5
    assert other.gradient_accumulation_steps == 1
