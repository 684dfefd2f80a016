"""Coordinate attention: a gate for each channel and row, and one for each channel and column."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attention_lab.mechanisms import CoordinateAttention


@pytest.mark.parametrize("training", [False, True])
def test_gates_are_those_of_the_paper_written_out(training, noise, randomised, batch_norm):
    x, attention = noise(2, 6, 3, 5), randomised(CoordinateAttention(6)).train(training)
    convolution, norm, _ = attention.hidden
    joined = torch.cat([x.mean(3), x.mean(2)], 2)
    hidden = torch.einsum("hc,ncl->nhl", convolution.weight[:, :, 0], joined) + convolution.bias[:, None]
    hidden = batch_norm(hidden, norm)
    hidden = hidden * F.relu6(hidden + 3) / 6
    for gate, layer, part in zip(attention.weights(x), (attention.rows, attention.columns), hidden.split([3, 5], 2)):
        scores = torch.einsum("ch,nhl->ncl", layer.weight[:, :, 0], part) + layer.bias[:, None]
        assert_close(gate.flatten(2), scores.sigmoid())


def test_a_gate_of_rows_knows_the_row_alone_and_one_of_columns_the_column(noise, randomised):
    attention = randomised(CoordinateAttention(4)).eval()
    x = noise(1, 4, 6, 7)
    for gate, axis in zip(attention.weights(x), (2, 3)):
        other = x.roll(1, 5 - axis)  # along the other axis nothing changes
        assert_close(attention.weights(other)[axis - 2], gate)
        assert_close(attention.weights(x.roll(1, axis))[axis - 2], gate.roll(1, axis))


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(512, 32, 16), (64, 32, 8), (64, 4, 16), (3, 32, 8)])
def test_the_hidden_layer_has_at_least_eight_channels(channels, reduction, hidden, parameters):
    expected = 3 * channels * hidden + 2 * channels + 3 * hidden
    assert parameters(CoordinateAttention(channels, reduction)) == expected


@pytest.mark.parametrize("arguments", [(0,), (4, 0)])
def test_what_makes_no_layer_is_refused(arguments):
    with pytest.raises(ValueError, match="must be an integer of at least 1"):
        CoordinateAttention(*arguments)
