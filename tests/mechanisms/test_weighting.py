"""Weighting: softmax selects, sigmoid gates."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_lab.mechanisms import recalibrate, select, softmax

few = settings(deadline=None, max_examples=30, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def test_softmax_is_the_exponential_of_each_score_over_their_sum():
    """Written out for three scores at temperature 2."""
    scores = [1.0, -2.0, 0.5]
    parts = [math.exp(score / 2) for score in scores]
    expected = torch.tensor([part / sum(parts) for part in parts], dtype=torch.float64)
    assert_close(softmax(torch.tensor(scores, dtype=torch.float64), temperature=2.0), expected)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_softmax_equals_torchs_along_every_dimension(noise, dim):
    x = noise(2, 3, 4)
    assert_close(softmax(x, dim), torch.softmax(x, dim))


@few
@given(seed=seeds, temperature=st.floats(0.05, 50), shift=st.floats(-1e3, 1e3))
def test_softmax_is_positive_sums_to_one_and_ignores_a_shift(noise, seed, temperature, shift):
    scores = noise(4, 6, seed=seed)
    weights = softmax(scores, temperature=temperature)
    assert (weights > 0).all()
    assert_close(weights.sum(-1), torch.ones(4, dtype=torch.float64))
    assert_close(softmax(scores + shift, temperature=temperature), weights, rtol=1e-6, atol=1e-10)


@few
@given(seed=seeds, temperature=st.floats(0.2, 5))
def test_a_hotter_softmax_is_flatter(noise, seed, temperature):
    """The entropy of the weights rises with the temperature."""

    def entropy(weights):
        return -(weights * weights.clamp_min(1e-300).log()).sum(-1)

    scores = noise(4, 6, seed=seed)
    hot, cool = softmax(scores, temperature=1.5 * temperature), softmax(scores, temperature=temperature)
    assert (entropy(hot) > entropy(cool)).all()


def test_softmax_becomes_uniform_when_hot_and_one_hot_when_cold(noise):
    scores = noise(3, 5)
    assert_close(softmax(scores, temperature=1e9), torch.full((3, 5), 0.2, dtype=torch.float64))
    one_hot = torch.nn.functional.one_hot(scores.argmax(-1), 5).double()
    assert_close(softmax(scores, temperature=1e-6), one_hot)


def test_softmax_is_safe_at_scores_of_ten_thousand():
    assert_close(softmax(torch.tensor([1e4, 1e4, -1e4])), torch.tensor([0.5, 0.5, 0.0]))


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan])
@pytest.mark.usefixtures("unchecked")
def test_softmax_refuses_a_temperature_that_is_not_above_zero(temperature):
    with pytest.raises(ValueError, match=f"temperature must be above 0, got {temperature}"):
        softmax(torch.zeros(2), temperature=temperature)


def test_select_is_the_weighted_average_over_positions(noise):
    """Written out as a loop over images, channels and positions."""
    features, scores = noise(2, 3, 5), noise(2, 5, seed=1)
    weights = scores.exp() / scores.exp().sum(1, keepdim=True)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    for n in range(2):
        for c in range(3):
            expected[n, c] = sum(weights[n, i] * features[n, c, i] for i in range(5))
    assert_close(select(features, scores), expected)


def test_select_with_one_dominant_score_returns_that_position(noise):
    features, scores = noise(2, 3, 5), torch.zeros(2, 5, dtype=torch.float64)
    scores[0, 4] = scores[1, 2] = 1e4
    assert_close(select(features, scores), torch.stack((features[0, :, 4], features[1, :, 2])))


@few
@given(seed=seeds)
def test_select_does_not_care_about_the_order_of_positions(noise, seed):
    features, scores = noise(2, 3, 5, seed=seed), noise(2, 5, seed=seed + 1)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    assert_close(select(features[:, :, order], scores[:, order]), select(features, scores))


@pytest.mark.parametrize(
    ("features", "scores", "message"),
    [
        ((2, 3), (2, 3), r"features must have shape \(N, C, L\), got \(2, 3\)"),
        ((2, 3, 5), (2, 3), r"scores must have shape \(N, L\) = \(2, 5\), got \(2, 3\)"),
        ((2, 3, 5), (1, 5), r"scores must have shape \(N, L\) = \(2, 5\), got \(1, 5\)"),
        ((2, 3, 5), (2, 5, 1), r"scores must have shape \(N, L\) = \(2, 5\), got \(2, 5, 1\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_select_names_the_argument_whose_shape_does_not_fit(features, scores, message):
    with pytest.raises(ValueError, match=message):
        select(torch.zeros(features), torch.zeros(scores))


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (2, 1, 4, 5), (2, 3, 4, 5)])
def test_recalibrate_multiplies_by_the_sigmoid(noise, shape):
    """Gates of channels, of positions and of every value."""
    x, logits = noise(2, 3, 4, 5), noise(*shape, seed=1)
    assert_close(recalibrate(x, logits), x / (1 + (-logits).exp()))


def test_recalibrate_with_an_open_gate_gives_x_and_with_a_closed_one_zero(noise):
    x = noise(2, 3, 4, 5)
    assert_close(recalibrate(x, torch.full((2, 3, 1, 1), 1e4)), x)
    assert_close(recalibrate(x, torch.full((2, 3, 1, 1), -1e4)), torch.zeros_like(x))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 1, 1), (2, 2, 1, 1), (2, 3, 5, 4), (1, 3, 1, 1), (4, 3, 1, 1)])
@pytest.mark.usefixtures("unchecked")
def test_recalibrate_refuses_logits_of_other_images_or_that_do_not_broadcast(shape):
    with pytest.raises(ValueError, match=r"logits must have the N of x and broadcast to its shape \(2, 3, 4, 5\), got"):
        recalibrate(torch.zeros(2, 3, 4, 5), torch.zeros(shape))


def test_select_and_recalibrate_pass_gradcheck(noise):
    features, scores = noise(2, 3, 4).requires_grad_(), noise(2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(select, (features, scores))
    x, logits = noise(2, 3, 2, 3).requires_grad_(), noise(2, 1, 2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(recalibrate, (x, logits))


@pytest.mark.usefixtures("unchecked")
def test_a_wrong_shape_is_told_by_the_names_of_its_axes(noise):
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        recalibrate(noise(3, 4, 5), noise(3, 4, 1))
