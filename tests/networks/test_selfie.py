"""The trained segmentation network: it finds people, and its gates can be looked at."""

import pytest
import torch
from torch import Tensor

from attention_lab.data import photo
from attention_lab.networks import count_parameters
from attention_lab.networks.selfie import SelfieSegmentation

BLOCKS = {"block 1": 16, "block 4": 96, "block 5": 128, "block 6": 128, "block 7": 96, "block 8": 96}


@pytest.fixture(scope="module")
def network() -> SelfieSegmentation:
    return SelfieSegmentation()


@pytest.fixture(scope="module")
def photos() -> Tensor:
    return torch.stack([photo(name, 256) for name in ("astronaut", "brick", "gravel")])


@pytest.fixture(scope="module")
def people(network: SelfieSegmentation, photos: Tensor) -> Tensor:
    with torch.no_grad():
        return network(photos)


def test_it_gives_a_probability_for_every_pixel(people: Tensor):
    assert people.shape == (3, 1, 256, 256)
    assert people.min() >= 0 and people.max() <= 1


def test_it_finds_the_astronaut_and_not_the_flag_or_the_shuttle(people: Tensor):
    astronaut = people[0, 0]
    assert astronaut[40:80, 85:125].mean() > 0.9, "her face"
    assert astronaut[130:250, 60:150].mean() > 0.9, "her suit"
    assert astronaut[:100, 180:].mean() < 0.02, "the wall and the shuttle to the right"
    assert astronaut[:100, :40].mean() < 0.1, "the flag"


def test_it_finds_nobody_on_walls_and_gravel(people: Tensor):
    assert people[1:].mean() < 0.01


def test_its_output_is_that_of_the_network_the_weights_were_trained_in(people: Tensor):
    """Probabilities in 64 x 64 pixel tiles, measured on an independent implementation."""
    tiles = torch.nn.functional.avg_pool2d(people[:1], 64)[0, 0]
    expected = [
        [0.0000, 0.6050, 0.2373, 0.0000],
        [0.1576, 0.9010, 0.2307, 0.0000],
        [0.7544, 1.0000, 0.8656, 0.1773],
        [0.9281, 0.9852, 0.9952, 0.8697],
    ]
    torch.testing.assert_close(tiles, torch.tensor(expected), atol=1e-3, rtol=0)


def test_its_gates_are_those_of_the_network_the_weights_were_trained_in(network: SelfieSegmentation, photos: Tensor):
    expected = {
        "block 1": [0.1471, 0.4056, 0.5910],
        "block 4": [0.4796, 0.9867, 0.4507],
        "block 5": [0.8851, 0.9870, 0.9933],
        "block 6": [0.9794, 0.7621, 0.8186],
        "block 7": [0.9972, 0.9721, 0.1936],
        "block 8": [0.3040, 0.0122, 0.0704],
    }
    gates = network.gates(photos)
    for block, values in expected.items():
        torch.testing.assert_close(gates[block][0, :3], torch.tensor(values), atol=1e-3, rtol=0)


def test_six_blocks_have_gates_between_0_and_1(network: SelfieSegmentation, photos: Tensor):
    gates = network.gates(photos)
    assert {block: tuple(gate.shape) for block, gate in gates.items()} == {b: (3, c) for b, c in BLOCKS.items()}
    assert all(((gate >= 0) & (gate <= 1)).all() for gate in gates.values())


def test_the_gates_shown_are_the_gates_used(network: SelfieSegmentation, photos: Tensor):
    used = []
    handles = [
        block.gate.register_forward_hook(lambda module, inputs, output: used.append((inputs[0], output)))
        for block in network.encoder
        if block.gate is not None
    ]
    with torch.no_grad():
        network(photos)
        for handle in handles:
            handle.remove()
        shown = network.gates(photos)
    for gate, (x, gated) in zip(shown.values(), used, strict=True):
        torch.testing.assert_close(x * gate[:, :, None, None], gated)


def test_gates_differ_more_between_photographs_in_the_last_block_than_in_the_first(network: SelfieSegmentation):
    photos = torch.stack([photo(name, 256) for name in ("astronaut", "chelsea", "china", "coffee", "flower", "rocket")])
    with torch.no_grad():
        spread = {block: gate.std(0).mean() for block, gate in network.gates(photos).items()}
    assert spread["block 8"] > 2 * spread["block 1"] > 0.05


def test_it_is_small(network: SelfieSegmentation):
    assert count_parameters(network) == 106_401


def test_it_is_the_same_every_time(photos: Tensor, people: Tensor):
    with torch.no_grad():
        assert torch.equal(SelfieSegmentation()(photos), people)


@pytest.mark.usefixtures("unchecked")
def test_another_size_is_refused(network: SelfieSegmentation):
    for call in (network, network.gates):
        with pytest.raises(ValueError, match="256"):
            call(torch.zeros(1, 3, 224, 224))
