"""A map is put to the test: what the model needs, whether the map changes with it, whether it finds the object."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.data import blurred
from attention_lab.evidence import (
    area_under,
    deletion,
    insertion,
    pointing_game,
    randomised,
    rank_correlation,
    verdict,
)


class OneBrightPixel(nn.Module):
    """Knows class 1 by the brightness of one pixel, and is unsure without it."""

    def forward(self, x):
        return torch.stack([torch.zeros(len(x)), x[:, 0, 2, 3]], 1)


def spot(row: int, column: int) -> torch.Tensor:
    image = torch.zeros(1, 1, 5, 8)
    image[0, 0, row, column] = 4
    return image


def network() -> nn.Module:
    layers = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))
    model = nn.Sequential(*layers)
    model(torch.rand(8, 1, 9, 9))
    return model.eval()


def test_a_map_of_the_pixel_that_matters_makes_the_answer_fall_at_once_and_come_back_at_once():
    x, target = spot(2, 3), torch.tensor([1])
    true, false = spot(2, 3)[0], spot(4, 7)[0]
    sure, unsure = x[0, 0, 2, 3].sigmoid(), blurred(x)[0, 0, 2, 3].sigmoid()
    assert_close(deletion(OneBrightPixel(), x, true, target, steps=4)[0], torch.stack([sure] + [unsure] * 4))
    assert_close(insertion(OneBrightPixel(), x, true, target, steps=4)[0], torch.stack([unsure] + [sure] * 4))
    later = deletion(OneBrightPixel(), x, false, target, steps=4)[0]
    assert later[0] == later[1] == sure and later[-1] == unsure


def test_a_curve_begins_with_the_image_and_ends_with_the_blurred_one_and_keeps_no_graph():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 7, 3)).train(), torch.randn(4, 2, 6, 7)
    heat, target = torch.rand(4, 6, 7), torch.tensor([0, 2, 1, 1])
    curve = deletion(model, x, heat, target, steps=5)
    assert curve.shape == (4, 6) and not curve.requires_grad and not model.training
    for place, image in ((0, x), (-1, blurred(x))):
        assert_close(curve[:, place], model(image).softmax(1).gather(1, target[:, None])[:, 0].detach())


def test_of_equally_hot_places_the_first_are_taken_first():
    seen = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(10, 2))
    model.register_forward_pre_hook(lambda model, given: seen.append(given[0][0, 0].clone()))
    x = torch.arange(1.0, 11).view(1, 1, 2, 5)
    deletion(model, x, torch.zeros(1, 2, 5), torch.tensor([0]), steps=4)
    assert [int((image != x[0, 0]).sum()) for image in seen] == [0, 2, 5, 7, 10]
    assert torch.equal(seen[2][1], x[0, 0, 1])


def test_the_area_is_that_of_trapezoids_on_the_unit_interval():
    assert_close(area_under(torch.tensor([[1.0, 1, 1], [1, 0.5, 0], [0, 0, 1]])), torch.tensor([1.0, 0.5, 0.25]))


def test_a_hit_is_a_hottest_place_of_which_at_least_half_is_inside():
    heat = torch.eye(4).view(4, 2, 2)
    mask = torch.zeros(4, 2, 2)
    mask[0, 0, 0], mask[1, 0, 1], mask[2, 1, 0] = 1, 0.5, 0.49
    assert pointing_game(heat, mask) == 0.5
    assert pointing_game(heat, mask > 0) == 0.75


def test_named_layers_forget_weights_and_statistics_and_nothing_else_changes():
    model = network()
    state = torch.random.get_rng_state()
    before = {name: numbers.clone() for name, numbers in model.state_dict().items()}
    made = randomised(model, ["1", "3"], seed=1).state_dict()
    assert all(torch.equal(model.state_dict()[name], numbers) for name, numbers in before.items())
    assert torch.equal(torch.random.get_rng_state(), state)
    same = {name for name in before if torch.equal(made[name], before[name])}
    # a scale of 1 and a shift of 0 are as new already
    assert same == {"0.weight", "0.bias", "1.weight", "1.bias", "3.1.weight", "3.1.bias"}
    assert made["1.running_mean"].eq(0).all() and made["3.1.running_var"].eq(1).all()
    again, other = (randomised(model, ["3"], seed=seed).state_dict()["3.0.weight"] for seed in (1, 2))
    assert torch.equal(randomised(model, ["3"], seed=1).state_dict()["3.0.weight"], again)
    assert not torch.equal(again, other)


def test_only_the_order_of_places_correlates():
    torch.manual_seed(0)
    a = torch.rand(3, 4, 5)
    assert_close(rank_correlation(a, a.exp() * 7), torch.ones(3))
    assert_close(rank_correlation(a, -a), -torch.ones(3))
    assert torch.equal(rank_correlation(a, torch.zeros_like(a)), torch.zeros(3))


def test_equal_values_share_the_mean_of_their_ranks():
    a = torch.tensor([[[5.0, 7, 7, 9]]])
    ranks = torch.tensor([1, 2.5, 2.5, 4])
    b = torch.tensor([[[1.0, 2, 4, 3]]])
    expected = torch.corrcoef(torch.stack([ranks, b.flatten()]))[0, 1]
    assert_close(rank_correlation(a, b), expected[None])


def test_the_verdict_is_the_courses_rule_in_lesson_08s_words():
    assert verdict([1.0, 1.1, 0.9], [2.0, 2.2, 1.9])[0] == "better"
    assert verdict([2.0, 2.2, 1.9], [1.0, 1.1, 0.9])[0] == "worse"
    word, mean, error = verdict([1.0, 3.0], [0.0, 0.0])
    assert (word, mean, error) == ("undecided", 2.0, 1.0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: deletion(OneBrightPixel(), spot(2, 3), torch.zeros(1, 5, 7), torch.tensor([0])), r"got \(1, 5, 7\)"),
        (lambda: deletion(OneBrightPixel(), spot(2, 3), torch.zeros(1, 5, 8), torch.tensor([0]), 0), "got 0"),
        (lambda: area_under(torch.zeros(5)), r"got \(5,\)"),
        (lambda: area_under(torch.zeros(5, 1)), "two points, got 1"),
        (lambda: pointing_game(torch.zeros(2, 3, 4), torch.zeros(2, 4, 3)), r"got \(2, 4, 3\)"),
        (lambda: rank_correlation(torch.zeros(2, 3, 4), torch.zeros(2, 4, 3)), r"got \(2, 4, 3\)"),
    ],
    ids=["heat", "steps", "curve", "one point", "mask", "two maps"],
)
def test_what_does_not_fit_together_is_told(call, told):
    with pytest.raises(ValueError, match=told):
        call()
