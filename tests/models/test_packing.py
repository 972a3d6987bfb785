"""Windows packed into one forward pass give what each gives alone."""

from __future__ import annotations

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny
import torch

from electra_ie.data.batching import batch_of_tensors
from electra_ie.models.packing import PACKABLE, can_pack

LENGTHS = (2, 3, 4, 5, 9, 16, 17, 31, 48)


def groups_of(draw, vocabulary, sizes):
    """Random ids without special ones, (B, L) for each length."""
    return [
        torch.tensor([[draw.randrange(8, vocabulary) for _ in range(length)] for _ in range(size)])
        for length, size in sizes
    ]


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def discriminator(request, encoder):
    return tiny.discriminator_of(encoder(request.param), sharp=3.0).eval()


def test_a_window_has_the_same_logits_in_any_company_to_the_last_bit(discriminator):
    draw = random.Random(4)
    groups = groups_of(draw, 60, [(length, draw.randint(1, 5)) for length in LENGTHS])
    alone = [[discriminator.predict_groups([row[None]])[0] for row in group] for group in groups]
    for _ in range(6):
        order = draw.sample(range(len(groups)), draw.randint(1, len(groups)))
        chosen = [
            sorted(draw.sample(range(len(groups[group])), draw.randint(1, len(groups[group])))) for group in order
        ]
        together = discriminator.predict_groups(
            [groups[group][rows] for group, rows in zip(order, chosen, strict=True)]
        )
        for group, rows, logits in zip(order, chosen, together, strict=True):
            for place, row in enumerate(rows):
                for name, values in logits.items():
                    assert torch.equal(values[place], alone[group][row][name][0]), (name, LENGTHS[group])


def test_threads_share_an_encoder(discriminator):
    groups = groups_of(random.Random(6), 60, [(length, 2) for length in LENGTHS])
    expected = discriminator.predict_groups(groups)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: discriminator.predict_groups(groups), range(24)))
    finally:
        sys.setswitchinterval(interval)
    for logits in found:
        for own, alone in zip(logits, expected, strict=True):
            assert all(torch.equal(own[name], values) for name, values in alone.items())


def test_packed_logits_are_those_of_a_padded_batch(discriminator):
    assert can_pack(discriminator.encoder) == (discriminator.encoder.config.model_type in PACKABLE)
    draw = random.Random(5)
    groups = groups_of(draw, 60, [(length, 2) for length in LENGTHS])
    for ids, logits in zip(groups, discriminator.predict_groups(groups), strict=True):
        padded = torch.nn.functional.pad(ids, (0, 7), value=discriminator.encoder.config.pad_token_id)
        mask = torch.nn.functional.pad(torch.ones_like(ids), (0, 7))
        for name, expected in discriminator.predict_logits(batch_of_tensors(padded, mask)).items():
            own = expected[:, : ids.shape[1]] if name == "names" else expected
            assert torch.allclose(logits[name], own, atol=2e-4), (name, ids.shape)
