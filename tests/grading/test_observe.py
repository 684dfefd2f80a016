"""What an answer did is written down as it was, and nothing of it leaks out."""

import time

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attention_lab.grading.matching import AT_ONCE, Way
from attention_lab.grading.observe import Look, Observation, Question, in_short, observe, observe_all

WAY = Way(("output",), AT_ONCE)
X = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def seen(
    answer, *inputs: object, build: tuple = (), records: tuple[str, ...] = ("output",), look: Look = Look.ALL
) -> Observation:
    question = Question("probe", build, inputs or (X,), seed=3, of_class=isinstance(answer, type))
    return observe(answer, question, records, look)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(3, 3)

    def weights(self, x):
        return self.scores(x.mean((2, 3))).sigmoid()[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


class WithAFactor(Scaled):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3, 1))


def test_the_same_question_gives_the_same_values_and_the_random_state_stays():
    state = torch.random.get_rng_state()
    first, second = seen(Scaled, records=("output", "weights")), seen(Scaled, records=("output", "weights"))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert_close(first.values["output"], second.values["output"])
    assert_close(first.values["output"], X * first.values["weights"])
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
    cut = type("Cut", (Scaled,), {"forward": lambda self, x: x * self.weights(x).detach()})
    (whole,), (part,) = (seen(answer, look=Look.MEASURED).slopes for answer in (Scaled, cut))
    for measured in whole.measured:
        assert abs(whole.autograd - measured) < 1e-3
        assert abs(part.autograd - measured) > 1e-3
    assert part.measured == whole.measured  # in the same direction, whoever is asked
    assert seen(cut).without_gradient == 2


def test_where_no_graph_leads_to_an_argument_there_is_no_slope_by_autograd():
    (slope,) = seen(lambda x: x.detach() * 2, look=Look.MEASURED).slopes
    assert slope.autograd is None and slope.measured[0]


def test_the_least_precise_numbers_on_the_way_are_noticed():
    assert seen(lambda x: x * 2).coarsest == torch.float64
    assert seen(lambda x: x.float().softmax(1).double()).coarsest == torch.float32
    assert seen(lambda x: x.bfloat16().double()).coarsest == torch.bfloat16


def test_tensors_that_vmap_passes_around_are_counted_with_all_their_images():
    looked = seen(lambda x: torch.func.vmap(lambda row: row.exp() / row.exp().sum())(x))
    assert not looked.problems and looked.values["output"].numel() == looked.largest


def test_the_first_image_is_also_seen_alone():
    mixed = seen(lambda x: x - x.mean(0))
    assert not torch.allclose(mixed.alone, mixed.values["output"][:1])
    apart = seen(lambda x: x - x.mean(1, keepdim=True))
    assert_close(apart.alone, apart.values["output"][:1])


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
    answer = seen(lambda x, y: x * y.round(), X, X + 0.3, look=Look.MEASURED)
    by_x, by_y = answer.slopes
    assert by_x.autograd != 0 and by_y.autograd == by_y.measured[0] == 0


def test_when_the_time_is_up_nothing_more_is_asked(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.limits.TIME_LIMIT", 0.2)
    asked = []

    def endless(x):
        asked.append(x)
        while True:
            pass

    questions = [Question(f"probe {i}", (), (X,), seed=i) for i in range(6)]
    answers = observe_all(endless, questions, ("output",))
    assert len(asked) == 1 and len(answers) == 6
    assert all("does a loop never end?" in str(answer.problems["build"]) for answer in answers)


def test_many_questions_share_one_time_limit(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.limits.TIME_LIMIT", 1.5)

    def slow(x):
        end = time.process_time() + 0.03
        while time.process_time() < end:
            pass
        return x

    start = time.process_time()
    answers = observe_all(slow, [Question("probe", (), (X,), seed=i) for i in range(20)], ("output",))
    assert time.process_time() - start < 4
    assert answers[-1].problems and not answers[0].problems


def test_with_parameters_told_apart_by_what_they_do_two_layouts_give_the_same():
    class Transposed(Scaled):
        def __init__(self):
            super().__init__()
            del self.scores
            self.shift, self.matrix = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3, 3))

        def scores(self, z):
            return z @ self.matrix + self.shift

    question, records = Question("probe", (), (X,), seed=3, of_class=True), ("output", "weights")
    usual, turned = (observe(kind, question, records, match=(WAY,)) for kind in (Scaled, Transposed))
    assert not torch.allclose(usual.values["output"], turned.values["output"])
    assert_close(usual.matched[WAY], turned.matched[WAY])
    assert_close(usual.alike, turned.alike)
    assert len(usual.matched[WAY]) == len(usual.others) + 1 > 1


def test_a_parameter_behind_a_relu_that_is_off_in_one_filling_gets_another_chance():
    class OftenOff(nn.Module):
        """Half of the fillings let nothing through."""

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x * self.scale.relu()

    for seed in range(10):
        assert observe(OftenOff, Question("probe", (), (X,), seed, of_class=True), ("output",)).without_gradient == 0


def test_nothing_is_left_behind_on_an_answers_modules():
    kept = []

    class Kept(Scaled):
        def __init__(self):
            super().__init__()
            kept.append(self)

    observe(Kept, Question("probe", (), (X,), 3, of_class=True), ("output",), match=(WAY,))
    for module in kept:
        for layer in module.modules():
            assert not layer._forward_hooks and not layer._forward_pre_hooks and not layer._backward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


def test_a_function_that_is_to_be_written_is_noticed_when_it_is_called():
    question = Question("probe", (), (X,), 3, forbidden=("softmax", "grid_sample"))
    assert observe(lambda x: x.softmax(1), question, ("output",)).borrowed == ("softmax",)
    assert observe(lambda x: x.exp(), question, ("output",)).borrowed == ()


def told(answer, of_class: bool) -> str:
    return str(observe(answer, Question("probe", (), (X,), 3, of_class), ("output",)).problems.get("build", ""))


def test_a_factory_and_an_object_are_taken_where_a_class_or_a_function_is_meant_if_they_can_be():
    assert not told(lambda: Scaled(), of_class=True)
    assert not told(Scaled(), of_class=False)
    assert told(Scaled(), of_class=True) == (
        "an object of Scaled was passed: the class itself is wanted, without brackets; was its cell run?"
    )
    assert told(Scaled, of_class=False).startswith("type was passed: the function itself is wanted")
    assert told(None, of_class=True).startswith("None was passed: the class itself is wanted")
    assert told(lambda: 3, of_class=True) == "<lambda>() gives int, no nn.Module"


def test_an_object_that_is_passed_as_a_function_stays_as_it_was():
    module = Scaled()
    before = [p.clone() for p in module.parameters()]
    assert not told(module, of_class=False)
    assert module.training and all(map(torch.equal, before, module.parameters()))


def test_the_call_is_told_by_the_names_that_the_learner_gave():
    assert seen(Scaled).call == "x (2, 3, 4, 4)"
    assert seen(lambda features, dim: features, X, 1).call == "features (2, 3, 4, 4), dim=1"
    assert seen(lambda x, what: x, X, object()).call == "x (2, 3, 4, 4)"


def test_a_module_is_also_seen_as_it_was_built():
    class Zero(Scaled):
        def __init__(self):
            super().__init__()
            nn.init.zeros_(self.scores.weight)
            nn.init.zeros_(self.scores.bias)

    answer = seen(Zero)
    assert_close(answer.fresh, X / 2)
    assert not torch.allclose(answer.values["output"], X / 2)


def test_what_crashes_with_one_image_alone_crashes():
    def needs_two(x):
        return x - x[1]

    assert set(seen(needs_two).problems) == {"output"}


def test_an_answer_that_computes_gradients_itself_is_not_asked_for_its_slope():
    def gradient(x):
        x.requires_grad_(True)
        return torch.autograd.grad(x.pow(2).sum(), x)[0]

    answer = observe(gradient, Question("probe", (), (X,), 3, differentiates=True), ("output",))
    assert_close(answer.values["output"], 2 * X)
    assert answer.slopes == [] and not answer.problems


def test_a_crash_is_told_by_its_function_its_line_and_its_code():
    def crashes(x):
        return x.no_such_thing

    problem = seen(crashes).problems["output"]
    assert (problem.function, problem.line) == ("crashes", "return x.no_such_thing")

    def crashes_in_torch(x):
        layer = nn.Linear(7, 3)
        return layer(x)

    problem = seen(crashes_in_torch).problems["output"]
    assert (problem.function, problem.line) == ("crashes_in_torch", "return layer(x)")


def test_a_crash_in_a_function_of_torch_has_no_line_of_the_learners():
    problem = seen(nn.functional.linear).problems["output"]
    assert (problem.kind, problem.function, problem.number, problem.line) == ("TypeError", "", 0, "")


@pytest.mark.parametrize("batch", [True, False])
def test_the_first_image_alone_is_asked_too_where_the_first_argument_is_a_batch(batch):
    asked = []
    observe(lambda x: asked.append(len(x)) or 2 * x, Question("probe", (), (X,), seed=3, batch=batch), ("output",))
    assert (1 in asked) == batch and len(X) == 2


def test_numbers_are_taken_as_tensors_of_their_kind_and_layers_told_in_short():
    assert [seen(lambda x, n=n: n).values["output"].dtype for n in (3, 3.5)] == [torch.int64, torch.float32]
    assert seen(Scaled).layers == [("Linear(3, 3)", 12)]
    assert seen(WithAFactor).layers == [("a parameter of shape (3, 1)", 3), ("Linear(3, 3)", 12)]
    depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
    assert in_short(depthwise) == "Conv2d(4, 4, kernel_size=(3, 3), groups=4)"


def test_a_class_without_forward_is_no_stub():
    class NoForward(nn.Module):
        def weights(self, x):
            return self.part(x)

        def __init__(self):
            super().__init__()
            self.part = nn.Module()

    answer = observe(NoForward, Question("probe", (), (X,), 3, of_class=True), ("weights", "output"))
    assert str(answer.problems["output"]) == "NoForward has no method forward(x): is its def inside another one?"
    assert "Module has no method forward(x)" in str(answer.problems["weights"])


def test_an_answer_that_crashes_with_some_parameters_only_crashes():
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.mood = nn.Parameter(torch.zeros(1))
            self.met = set()

        def forward(self, x):
            self.met.add(float(self.mood))
            assert len(self.met) != 3, "a bad mood"
            return x * self.mood

    answer = observe(Moody, Question("probe", (), (X,), 3, of_class=True), ("output",))
    assert "a bad mood" in str(answer.problems["output"])


def test_an_output_in_words_is_kept_by_its_place_among_those_asked_for():
    question = Question("probe", (), (X,), 3, words=("better", "worse"))
    assert observe(lambda x: "worse", question, ("output",)).values["output"] == 1
    both = observe(lambda x: ("better", x.sum()), question, ("output", "mean"))
    assert both.values["output"] == 0 and both.values["mean"] == X.sum()


def test_an_output_that_is_none_of_the_words_is_told_which_there_are():
    question = Question("probe", (), (X,), 3, words=("better", "worse"))
    asked = "one of the words 'better', 'worse' was expected, not "
    for wrong, told in (("Better", "'Better'"), (1, "int"), (X, "Tensor"), (None, "None")):
        assert observe(lambda x, wrong=wrong: wrong, question, ("output",)).problems["output"].message == asked + told
