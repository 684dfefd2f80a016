"""Modules that a question names: built the same each time, in the precision that is asked for, in the mode that it says."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from attention_lab.grading.stand_ins import BUILDERS, Part, StandIn, built

ROOT = Path(__file__).parents[2]
STACK = (("Conv2d", 3, 4, 3, {"padding": 1}), ("Sequential", ("BatchNorm2d", 4), ("ReLU",)), ("Conv2d", 4, 3, 1))
ARGUMENTS = {
    "convolution": (3,),
    "gate": (3,),
    "Gate": (),
    "stack": STACK,
    "frozen": STACK,
    "repeated": (3, ("Conv2d", 3, 3, 1)),
    "tied": (("Conv2d", 3, 3, 1), ("ReLU",), ("Conv2d", 3, 3, 1)),
    "scaled": (3, ("Linear", 4, 5)),
    "one-sided": (("Linear", 3, 4), ("ReLU",), ("Linear", 4, 2)),
    "loud": (("Linear", 3, 4), ("ReLU",), ("Linear", 4, 2)),
    "trained": STACK,
    "two gates": ("channels", "both", 3, 5),
    "unique": (("Linear", 3, 4),),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_the_same_seed_builds_the_same_and_the_random_state_stays(name):
    state = torch.random.get_rng_state()
    one, same, other = (StandIn(name, ARGUMENTS[name], seed).build() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    if isinstance(one, nn.Module):
        flat = [torch.cat([p.detach().flatten() for p in made.parameters()]) for made in (one, same, other)]
        assert torch.equal(flat[0], flat[1]) and not torch.equal(flat[0], flat[2])
    else:
        assert one is same


def test_what_is_unique_can_be_called_and_not_be_copied():
    block = StandIn("unique", (("Linear", 3, 4),)).build()
    assert block(torch.zeros(2, 3)).shape == (2, 4)
    with pytest.raises(RuntimeError, match="not to be copied"):
        copy.deepcopy(block)


def test_values_are_built_in_one_precision_and_modules_are_not_in_training():
    model, layer, x, number, indices = built(
        (StandIn("stack", STACK), Part(0, "1.0"), torch.zeros(2), 3, torch.arange(2)), torch.float64
    )
    assert not any(part.training for part in model.modules())
    assert {p.dtype for p in model.parameters()} == {x.dtype} == {torch.float64}
    assert layer is model[1][0] and isinstance(layer, nn.BatchNorm2d)
    assert number == 3 and indices.dtype == torch.int64


def test_a_module_that_is_to_be_in_training_is():
    (model,) = built((StandIn("stack", STACK, training=True),), torch.float32)
    assert all(part.training for part in model.modules())


def test_in_a_trained_stack_no_number_is_as_in_a_fresh_one():
    made = StandIn("trained", STACK).build().state_dict()
    fresh = StandIn("stack", STACK).build().state_dict()
    real = [name for name, numbers in made.items() if numbers.is_floating_point()]
    assert "1.0.running_var" in real and (made["1.0.running_var"] > 0).all()
    assert not any((made[name] == fresh[name]).any() for name in real)


def test_a_trained_stack_is_the_same_to_the_last_bit_whatever_the_processor_can_do():
    code = (
        "from tests.grading.test_stand_ins import STACK, StandIn; "
        "print(*(t.sum().item() for t in StandIn('trained', STACK, 3).build().double().state_dict().values()))"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    plain = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    here = [t.sum().item() for t in StandIn("trained", STACK, 3).build().double().state_dict().values()]
    assert [float(number) for number in plain.stdout.split()] == here, plain.stderr


def test_a_stack_holds_the_layers_that_are_named():
    model = StandIn("stack", STACK).build()
    assert [type(layer) for layer in model] == [nn.Conv2d, nn.Sequential, nn.Conv2d]
    assert model(torch.rand(1, 3, 5, 6)).shape == (1, 3, 5, 6)


def test_special_stacks_are_what_they_are_called():
    frozen, repeated, tied = (StandIn(name, ARGUMENTS[name]).build() for name in ("frozen", "repeated", "tied"))
    assert not any(p.requires_grad for p in frozen[0].parameters()) and frozen[2].weight.requires_grad
    assert len(repeated) == 3 and len({id(layer) for layer in repeated}) == 1
    assert tied[0] is not tied[-1] and tied[0].weight is tied[-1].weight
    for seed in range(20):
        one_sided = StandIn("one-sided", ARGUMENTS["one-sided"], seed).build()
        assert (one_sided[-1].weight[0] < 0).all() and (one_sided[-1].weight[1] > 0).all()


def test_a_scaled_stack_is_multiplied_by_the_mean_of_its_numbers():
    scaled = StandIn("scaled", (3, *STACK)).build()
    x = torch.rand(1, 3, 5, 6)
    torch.testing.assert_close(scaled(x), nn.Sequential.forward(scaled, x) * scaled.scale.mean())


def test_a_gate_has_weights_between_zero_and_one_that_scale_its_input():
    gate, x = StandIn("gate", (3,)).build(), torch.rand(2, 3, 4, 4)
    weights = gate.weights(x)
    assert weights.shape == (2, 3, 1, 1) and (0 < weights).all() and (weights < 1).all()
    torch.testing.assert_close(gate(x), x * weights)


@pytest.mark.parametrize("statistics", ["average", "maximum", "both"])
@pytest.mark.parametrize("order", ["channels", "positions"])
def test_a_first_channel_gate_does_not_notice_that_positions_move(order, statistics):
    for seed in range(20):
        block = StandIn("two gates", (order, statistics, 8, 5), seed).build().double()
        x = torch.randn(2, 8, 9, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            gates = [block(moved) / moved for moved in (x, x.flip(-1))]
        assert all(0 < float(gate.min()) and float(gate.max()) < 1 for gate in gates)
        before, after = (gate / gate[:, :1] for gate in gates)
        apart = float(((before - after) / before).abs().max())
        assert apart < 1e-12 if order == "channels" else apart > 5e-3


def test_a_convolution_keeps_the_shape():
    x = torch.rand(2, 3, 5, 6)
    assert StandIn("convolution", (3,)).build()(x).shape == x.shape
