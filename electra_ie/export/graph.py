"""The ONNX graph of a discriminator: one encoder with the heads of all fields, in one file."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from electra_ie.common.errors import UserError, first_line
from electra_ie.common.process_state import PROCESS_STATE
from electra_ie.inference.engine.exported import IDS, MASK, output_name
from electra_ie.models.discriminator import Discriminator

MORE_ROWS = 3
"""Rows that are added to a batch: onnxruntime computes a matrix product of fewer than 4 rows on another path."""
OPSET = 18
BLOCK = 32
"""Weights of a row that share a scale in 8 bits."""
INSTALL = 'Install them with: pip install "electra_ie[onnx]"'


class _Logits(nn.Module):
    """The discriminator from ids (B, L) and mask (B, L) to the logits of each field, in the order of the fields."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.encoder = discriminator.encoder
        self.models = nn.ModuleList(discriminator.head(field).model for field in discriminator.fields)
        for field in discriminator.fields:
            # The hook that keeps the features for losses assigns to the module, which an exporter cannot follow.
            discriminator.head(field).output_layer._forward_pre_hooks.clear()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = input_ids.shape[0]
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        # More rows for the heads, as in `Discriminator.predict_groups`: the logits of a text depend on no other.
        states = torch.cat([states, states[:1].expand(MORE_ROWS, -1, -1)])
        mask = torch.cat([attention_mask, attention_mask[:1].expand(MORE_ROWS, -1)])
        return tuple(model(inputs_embeds=states, attention_mask=mask).logits[:rows] for model in self.models)


def write_graph(discriminator: Discriminator, file: Path) -> None:
    """Write the model as ONNX in fp32.

    Raises:
        UserError: the exporter does not know an operation of the encoder.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    model = _Logits(copy.deepcopy(discriminator).cpu()).eval()
    # Sizes of 0 and 1 are taken as constants by the exporter: the example has others, which stay variable.
    ids = torch.full((3, 7), 5)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    shape = {0: batch, 1: length}
    names = [output_name(field.name) for field in discriminator.fields]
    try:
        with _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model, (), kwargs={IDS: ids, MASK: torch.ones_like(ids)}, dynamo=True,
                dynamic_shapes={IDS: shape, MASK: shape}, opset_version=OPSET, input_names=[IDS, MASK],
                output_names=names, verbose=False,
            )  # fmt: skip
            assert program is not None  # of the exporter with dynamo
            # The metadata of a node is its line in the code, with the paths of this machine.
            ClearMetadataAndDocStringPass()(program.model)
            program.save(file, external_data=False)
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        family = discriminator.encoder.config.model_type
        message = f"an encoder of the type {family} cannot be exported to ONNX: {first_line(error)}."
        raise UserError(message, remedy="Choose another encoder, or run it with torch.") from error


def quantize(file: Path) -> None:
    """Replace the matrices of a model by 8-bit ones, with a scale for each block of 32 weights.

    Activations stay fp32, so that the answer to a text does not depend on the batch; dynamic quantization has one scale
    for the activations of a whole batch, and other texts in it change the answer.
    """
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    with _quiet():
        quantizer = MatMulNBitsQuantizer(onnx.load(str(file)), bits=8, block_size=BLOCK, is_symmetric=True)
        quantizer.process()
    onnx.save(quantizer.model.model, str(file))


def require(*packages: str) -> None:
    """Raise UserError if a package of the extra is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f"the export to ONNX needs {' and '.join(missing)}, which is not installed.", remedy=INSTALL)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the logs of the exporters within a context: they report progress and passes, not faults."""
    with PROCESS_STATE:
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(level)
