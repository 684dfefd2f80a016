"""The kernel's state is not the answer: whatever a learner has switched on or off, an answer is asked in a new kernel's."""

import contextlib
import sys
from collections.abc import Iterator

import torch

from ..threads import one_thread


@contextlib.contextmanager
def as_new(seed: int = 0) -> Iterator[None]:
    """Torch as in a new kernel inside the block, on one thread, with its random numbers seeded; as it was afterwards."""
    dtype, anomaly = torch.get_default_dtype(), torch.is_anomaly_enabled()
    deterministic = torch.get_deterministic_debug_mode()
    torch.set_default_dtype(torch.float32)
    torch.set_deterministic_debug_mode("default")  # use_deterministic_algorithms would import a compiler
    torch.autograd.set_detect_anomaly(False)
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.device("cpu") if torch.get_default_device().type != "cpu" else contextlib.nullcontext(),
            torch.random.fork_rng(devices=[]),
            one_thread(),
            uncompiled(),
        ):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_deterministic_debug_mode(deterministic)
        torch.autograd.set_detect_anomaly(anomaly)


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """What is compiled runs as it was written, and nothing is compiled: for a few small tensors that takes minutes."""
    compile = torch.compile
    torch.compile = lambda model=None, **_: model if model is not None else lambda function: function
    forced = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()
    try:
        with forced:
            yield
    finally:
        torch.compile = compile
