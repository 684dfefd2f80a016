"""What an answer did is written down as it was, and nothing of it leaks out."""

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attention_lab.grading.observe import Observation, Question, observe

X = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seen(answer, *inputs: object, build: tuple = (), records: tuple[str, ...] = ("output",)) -> Observation:
    return observe(answer, Question("probe", build, inputs or (X,), seed=3), records)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(3, 3)

    def weights(self, x):
        return self.scores(x.mean((2, 3))).sigmoid()[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


def test_the_same_question_gives_the_same_values_and_the_random_state_stays():
    state = torch.random.get_rng_state()
    first, second = seen(Scaled, records=("output", "weights")), seen(Scaled, records=("output", "weights"))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert_close(first.values["output"], second.values["output"])
    assert_close(first.values["output"][0], X * first.values["weights"][0])
    assert first.parameters == 12 and not first.problems and not first.without_gradient


def test_an_answer_cannot_change_the_question():
    def double_in_place(x):
        return x.mul_(2)

    before = X.clone()
    answer = seen(double_in_place)
    assert torch.equal(X, before)
    assert answer.changed_input
    assert not seen(lambda x: x * 2).changed_input


def test_autograds_slope_is_set_beside_the_true_one():
    through, cut = seen(Scaled), seen(type("Cut", (Scaled,), {"forward": lambda self, x: x * self.weights(x).detach()}))
    ((autograd, true),), ((too_little, true_of_cut),) = through.slopes, cut.slopes
    assert abs(autograd - true) < 1e-3
    assert abs(too_little - true_of_cut) > 1e-3
    assert cut.without_gradient == 2


def test_the_first_image_is_also_seen_alone():
    mixed = seen(lambda x: x - x.mean(0))
    assert not torch.allclose(mixed.alone, mixed.values["output"][0, :1])
    apart = seen(lambda x: x - x.mean(1, keepdim=True))
    assert_close(apart.alone, apart.values["output"][0, :1])


def holding(hold):
    """A class of modules whose two linear layers are held as ``hold`` holds them."""

    class Holds(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = hold([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers.values() if isinstance(self.layers, dict) else self.layers:
                x = layer.to(x.dtype)(x)
            return x

    return Holds


def test_layers_that_a_list_or_dictionary_hides_are_noticed():
    for hidden in (list, tuple, lambda layers: dict(enumerate(layers))):
        assert seen(holding(hidden)).unregistered
    assert not seen(holding(nn.ModuleList)).unregistered
    both = type("Both", (holding(nn.ModuleList),), {"__init__": registered_twice})
    assert not seen(both).unregistered


def registered_twice(self):
    super(type(self), self).__init__()
    self.by_name = list(self.layers)


def test_an_answer_that_works_in_single_precision_only_is_seen_in_it():
    def single(x):
        return x @ torch.eye(4)

    answer = seen(single)
    assert not answer.problems
    assert answer.values["output"].dtype == torch.float32


def test_an_answer_that_works_in_double_precision_only_is_told_what_float32_does():
    def double(x):
        return x @ torch.eye(4, dtype=torch.float64)

    assert "Double" in seen(double).problems["output"].message or "double" in seen(double).problems["output"].message


def test_a_forgotten_return_is_told_also_where_float32_is_mixed_in():
    def forgotten(x):
        x = x @ torch.eye(4)

    assert "is a return missing?" in seen(forgotten).problems["output"].message


def test_a_slope_is_measured_for_each_argument():
    answer = seen(lambda x, y: x * y.round(), X, X + 0.3)
    (by_x, _), (by_y, true) = answer.slopes
    assert by_x != 0 and by_y == true == 0


def test_a_shape_that_changes_with_the_parameters_is_told():
    class Ragged(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.second(self.first(x)).flatten()[: 5 + int(self.first.weight[0, 0] > self.second.weight[0, 0])]

    assert "the shape of output changes" in str(seen(Ragged).problems["output"])
