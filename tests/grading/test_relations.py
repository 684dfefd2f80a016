"""What wrong values have to do with the right ones is told, where it holds for every question."""

import math

import pytest
import torch

from attention_lab.grading.relations import Pair, relation

SHAPES = [(2, 3, 5, 7), (4, 6, 3, 4)]


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pairs(wrong, right=lambda x: x.sigmoid() * x, arguments=("reduction=4", "reduction=8")) -> list[Pair]:
    """What a wrong function of x gives beside the right one, for two questions."""
    made = []
    for seed, (shape, told) in enumerate(zip(SHAPES, arguments)):
        x = numbers(*shape, seed=seed)
        made.append(Pair(wrong(x), right(x), f"x {tuple(x.shape)}", told, (x,)))
    return made


def right(x):
    return x.sigmoid() * x


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (lambda x: right(x) * 3, "every value is 3 times what it should be"),
        (lambda x: -right(x), "the sign of every value is turned"),
        (lambda x: right(x) / x.shape[1], "every value is 1 / C times what it should be"),
        (lambda x: right(x) * x.shape[2] * x.shape[3], "every value is (H W) times what it should be"),
        (lambda x: right(x) / math.sqrt(x.shape[3]), "every value is 1 / √W times what it should be"),
        (lambda x: right(x) + 1, "every value is 1 too large"),
        (lambda x: right(x) - 0.25, "every value is 0.25 too small"),
        (lambda x: right(x).tanh(), "a tanh stands behind values that were right"),
        (lambda x: x, "the result is x itself"),
        (lambda x: right(x) + x, "x is added to values that were right"),
        (lambda x: right(x) - x, "x is still to be added"),
        (lambda x: right(x) * x, "x is multiplied with values that were right"),
        (lambda x: x.sigmoid(), "x is still to be multiplied with the values"),
        (lambda x: right(x).flatten(1), "the numbers are right, only their axes are not"),
        (lambda x: right(x).transpose(1, 2), "the numbers are right, but the axes 1 and 2 are exchanged"),
        (lambda x: right(x).flip(3), "axis 3 runs backwards"),
        (lambda x: right(x).roll(1, 1), "the right numbers stand in the wrong places"),
        (lambda x: right(x) * math.nan, "there are values that are nan"),
        (lambda x: right(x) + torch.where(x > 0, math.inf, 1.0), "there are values that are infinite"),
        (lambda x: torch.cat([right(x)[:1], x[1:]]), "the first image is right, the others are not"),
        (lambda x: torch.cat([x[:, :1], right(x)[:, 1:]], 1), "the first channel is wrong, the others are right"),
        (lambda x: torch.cat([right(x)[..., :-1], x[..., -1:]], 3), "the last column is wrong, the others are right"),
        (lambda x: torch.cat([right(x)[:, :, :-1], x[:, :, -1:]], 2), "the last row is wrong, the others are right"),
    ],
)
def test_a_relation_that_holds_everywhere_is_told(wrong, name):
    told = relation(pairs(wrong, right))
    assert told and told.name == name and told.question.endswith("?")


def test_one_minus_the_right_values_is_told():
    """It is the same backwards."""
    assert relation(pairs(lambda x: 1 - right(x), right)).name == "the values become right behind 1 - …"


def test_a_step_that_is_missing_at_the_end_is_told():
    told = relation(pairs(lambda x: x - 3 * x.roll(1), lambda x: (x - 3 * x.roll(1)).sigmoid()))
    assert told.name == "the values become right behind a sigmoid"


def test_a_wrong_border_is_told():
    def black_rim(x):
        rim = torch.zeros_like(x)
        rim[..., 1:-1, 1:-1] = right(x)[..., 1:-1, 1:-1]
        return rim

    assert relation(pairs(black_rim, right)).name == "the values are right inside, and wrong along the border"


def test_what_tells_right_questions_from_wrong_ones_is_told():
    def one_reduction_only(x):
        return right(x) if x.shape[1] == 3 else numbers(*x.shape, seed=7)

    same_shapes = pairs(one_reduction_only, right, ("reduction=4", "reduction=4"))
    assert relation(same_shapes) is None, "many sizes differ: nobody knows which of them matters"
    x = numbers(2, 3, 5, 7)
    told = [
        Pair(right(x), right(x), "x (2, 3, 5, 7)", "reduction=4", (x,)),
        Pair(x.roll(1) * 2, right(x), "x (2, 3, 5, 7)", "reduction=8", (x,)),
    ]
    assert relation(told).name == "it is right for reduction = 4, and wrong for reduction = 8"


def test_sizes_that_lie_among_each_other_decide_nothing():
    def of_width(width, wrong=False):
        x = numbers(2, 3, 5, width)
        return Pair(numbers(*x.shape, seed=7) if wrong else right(x), right(x), f"x {tuple(x.shape)}", "", (x,))

    assert relation([of_width(4), of_width(6, wrong=True), of_width(9)]) is None
    told = relation([of_width(4, wrong=True), of_width(6), of_width(9)])
    assert told.name == "it is right for W = 6 or 9, and wrong for W = 4"


def test_of_zeros_nothing_is_said_to_be_missing():
    assert relation(pairs(torch.zeros_like, lambda x: x)) is None


def test_square_maps_are_told_from_others():
    def square_only(shape):
        x = numbers(*shape)
        wrong = right(x) if shape[2] == shape[3] else numbers(*shape, seed=7)
        return Pair(wrong, right(x), f"x {shape}", "", (x,))

    assert relation([square_only((2, 3, 5, 5)), square_only((2, 3, 5, 7))]).name == "it is right for square maps only"
    several = [square_only((2, 3, 1, 1)), square_only((2, 3, 5, 5)), square_only((2, 3, 5, 7))]
    assert relation(several).name == "it is right for square maps only"
    one_position = [square_only((2, 3, 1, 1)), square_only((2, 3, 5, 7))]
    assert relation(one_position).name == "it is right for maps of one position only"


def test_values_that_have_nothing_to_do_with_the_right_ones_have_no_relation():
    assert relation(pairs(lambda x: numbers(*x.shape, seed=7), right)) is None


def test_right_values_have_none_either():
    assert relation(pairs(right, right)) is None


def test_a_relation_must_hold_for_every_question():
    doubled_or_tripled = pairs(lambda x: right(x) * (2 if x.shape[0] == 2 else numbers(*x.shape)), right)
    assert relation(doubled_or_tripled) is None


def test_one_single_number_is_no_relation():
    x = numbers(1)
    assert relation([Pair(torch.tensor(70), torch.tensor(59), "layers=[(7, 2, 1)]", "", ())]) is None
    assert relation([Pair(x * 3, x, "", "", ())]) is None


def test_the_sizes_of_a_shape_are_no_values():
    assert relation([Pair(torch.tensor([4, 6]), torch.tensor([2, 3]), "", "", ())]) is None


def pair(got: torch.Tensor, expected: torch.Tensor, call: str = "x (3)", arguments: str = "", *inputs) -> Pair:
    return Pair(got, expected, call, arguments, inputs)


def test_a_relation_that_holds_in_one_of_two_questions_is_not_told():
    right = [numbers(2, 3, 4, 5, seed=seed) for seed in (1, 2)]
    for wrong in (lambda x: x + 1, torch.tanh, lambda x: 2 * x, lambda x: x.transpose(1, 2), lambda x: x.flip(1)):
        for first, second in ((wrong, torch.cos), (torch.cos, wrong)):
            assert relation([pair(first(right[0]), right[0]), pair(second(right[1]), right[1])]) is None


def test_a_factor_is_found_also_where_a_right_value_is_zero_and_the_questions_have_other_sizes():
    right = torch.tensor([0.0, 1.0, -2.0])
    for factors, words in (((4, 4), "4"), ((4, 8), "d")):
        asked = [pair(right * d, right, "", f"{name}={d}, d={d}") for name, d in zip("ab", factors)]
        assert relation(asked).name == f"every value is {words} times what it should be"


def test_two_values_are_enough_to_be_shifted_and_an_argument_may_be_missing_in_a_question():
    assert relation([pair(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 3.0]))]).name == "every value is 1 too large"
    x, y = numbers(2, 3, seed=1), numbers(2, 3, seed=2)
    with_both = pair(x.cos() * y.exp(), x.exp(), "x (2, 3), y (2, 3)", "", x, y)
    assert relation([with_both, pair(y.cos() * x, y.exp(), "x (2, 3)", "", y)]) is None


def test_of_a_vector_the_place_that_is_wrong_is_told():
    right = numbers(5)
    wrong = torch.cat([right[:-1], right[-1:] + 3])
    assert relation([pair(wrong, right)]).name == "the last place along axis 0 is wrong, the others are right"


def test_the_border_is_told_only_where_all_inside_it_is_right():
    right = numbers(1, 2, 6, 6)
    border, inside = (torch.zeros(6, 6, dtype=torch.bool) for _ in range(2))
    border[0, :3] = border[:, -1] = True
    for row, column in ((1, 1), (2, 3), (4, 4)):
        inside[row, column] = True
        told = relation([pair(torch.where(border | inside, right.cos(), right), right)])
        assert told is None or "border" not in told.name
        inside[row, column] = False
    assert "along the border" in relation([pair(torch.where(border, right.cos(), right), right)]).name
