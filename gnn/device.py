"""Where tensors live, in which precision logits are, and sums that come out the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kg.config import checked_device
from kg.errors import EngineError


def choose_device(name: str) -> torch.device:
    """The device of a setting: "auto" is CUDA, then MPS, then the CPU.

    Raises:
        InputError: no such kind of device.
        EngineError: a device that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, number = checked_device(name).partition(":")
    there = {"cuda": torch.cuda.device_count() > int(number or 0), "mps": torch.backends.mps.is_available()}.get(kind, True)
    if not there:
        raise EngineError(f"This machine has no device {name!r} for torch.", "Use --device auto or --device cpu.")
    return torch.device(name)


def logits_dtype(name: str, device: torch.device) -> torch.dtype:
    """Precision of the logits: bfloat16 where the hardware multiplies it, else float32."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    supported = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if supported else torch.float32


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On the CPU, the gradient of a gathered row is summed in one order: the same bits from every run, on one thread or on many.

    Without it several threads add to a row as they come. On other devices nothing changes, and two fits may differ in the last digits.
    """
    if device.type != "cpu":
        yield
        return
    before, only_warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warns)
