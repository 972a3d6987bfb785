"""Train a discriminator and a generator in a training loop of your own, with Accelerate.

    python examples/custom_loop.py --generator latent
    accelerate launch --num_processes 2 examples/custom_loop.py --generator masking

`electra_ie.train` is such a loop with evaluation, checkpoints, provenance and a model card. Write your own to change
what a step does. This one learns from 60 labeled records of the shipped task `transaction_risk` and from its unlabeled
text.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence

import torch
from accelerate import Accelerator

from electra_ie import Discriminator, LatentGenerator, MaskingGenerator, Task
from electra_ie.data.batching import Batches
from electra_ie.data.training_data import windows_of
from electra_ie.data.windowing import WindowTokenizer
from electra_ie.models.encoders import load_tokenizer
from electra_ie.training.loop import frozen


def main(arguments: Sequence[str] | None = None) -> list[dict[str, float]]:
    """Train and save the models. Returns the losses of each step."""
    parser = argparse.ArgumentParser(description="Train a discriminator and a generator in a plain Accelerate loop.")
    parser.add_argument("--generator", choices=["latent", "masking"], default="masking")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2", help="a folder or a name on the Hub")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--output", default="runs/custom_loop", help="the folder of the trained discriminator")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    accelerator = Accelerator()

    # The data: windows of at most 128 tokens; each batch has 8 with labels and 8 without.
    task = Task.load("transaction_risk")
    tokenizer = load_tokenizer(options.encoder)
    windower = WindowTokenizer(tokenizer, size=128, context_overlap=16)
    labeled = windows_of(task.read("train")[:60], windower, task.fields)
    unlabeled = windows_of(task.read("unlabeled")[:200], windower, task.fields)
    process, processes = accelerator.process_index, accelerator.num_processes
    batches = Batches(labeled, unlabeled, (8, 8), windower, task.fields, 0, process, processes)

    # The models. The teacher of the masking generator is a discriminator that is trained on the labels first.
    latent = options.generator == "latent"
    discriminator = Discriminator.from_encoder(options.encoder, task.fields, realness_head=latent)
    generator: LatentGenerator | MaskingGenerator
    if latent:
        generator = LatentGenerator.from_encoder(options.encoder, task.fields)
    else:
        generator = MaskingGenerator.from_encoder(options.encoder)
        teacher = copy.deepcopy(discriminator).to(accelerator.device)
        train_on_labels(teacher, batches, options.steps, options.learning_rate)
        generator.teacher = teacher.eval().predict

    parameters = [*discriminator.parameters(), *generator.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate)
    discriminator, generator, optimizer = accelerator.prepare(discriminator, generator, optimizer)

    history = []
    for step in range(options.steps):
        batch = batches[step].to(accelerator.device)
        generated = generator(**batch, step=step)

        # L_D: the discriminator learns from the labels and from what the generator has produced.
        output = discriminator(**batch, generated=generated.detach())
        accelerator.backward(output.loss)

        # L_G: the generator learns from the discriminator, whose own gradients stay as they are.
        with frozen(discriminator):
            loss, _ = accelerator.unwrap_model(discriminator).generator_loss(generated, output)
            accelerator.backward(loss)

        optimizer.step()
        optimizer.zero_grad()
        history.append({"discriminator": output.loss.item(), "generator": loss.item(), **output.losses})
        accelerator.print(f"step {step + 1}: L_D {output.loss.item():.3f}, L_G {loss.item():.3f}")

    if accelerator.is_main_process:
        accelerator.unwrap_model(discriminator).save_pretrained(options.output, tokenizer=tokenizer)
        accelerator.print(f"{options.output}: a stock transformers folder for each of the fields flags and entities")
    accelerator.end_training()
    return history


def train_on_labels(model: Discriminator, batches: Batches, steps: int, learning_rate: float) -> None:
    """Train a discriminator on the labels alone, as any other PyTorch model."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    model.train()
    for step in range(steps):
        batch = batches[step].to(model.device)
        labeled = batch.rows(batch.known())
        model(**labeled).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


if __name__ == "__main__":
    main()
