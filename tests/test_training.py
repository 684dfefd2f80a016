"""Training promises: a seed decides everything, nothing outside is touched, and the table shows the spread."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from attention_lab.recording import Recording
from attention_lab.training import (
    FAST_SEEDS,
    FAST_STEPS,
    Difference,
    compare,
    error,
    fast,
    train,
    with_more_seeds,
)


@pytest.fixture(autouse=True)
def full_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ATTENTION_LAB_FAST", raising=False)


@pytest.fixture
def reduced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATTENTION_LAB_FAST", "1")


def bright_or_dark(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """A task that is easy to learn: is the left half of the image brighter than the right? Chance errs in 50 %."""
    images = torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return images, (images[..., :2].mean((1, 2, 3)) > images[..., 2:].mean((1, 2, 3))).long()


TRAIN, TEST = bright_or_dark(300, 0), bright_or_dark(200, 1)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(16, 2))


def blind() -> nn.Module:
    """A model that sees only the mean of the image, which says nothing about the task."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))


def built(build, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def test_a_task_that_can_be_learned_is_learned():
    model = built(linear)
    before = error(model, *TEST)
    record = train(model, *TRAIN, steps=200)
    assert error(model, *TEST) < 10 < before
    assert len(record.losses) == 200
    assert record.losses[-1] < record.losses[0] / 2
    assert record.seconds > 0 and not record.reduced


def test_a_model_that_cannot_see_the_answer_stays_at_chance():
    model = built(blind)
    train(model, *TRAIN, steps=200)
    assert 35 < error(model, *TEST) < 65


def test_error_counts_the_wrong_answers_in_percent():
    class Always0(nn.Module):
        def forward(self, x):
            return torch.tensor([[1.0, 0.0]]).expand(len(x), -1)

    assert error(Always0(), torch.zeros(300, 1, 2, 2), torch.tensor([0] * 225 + [1] * 75)) == 25


def test_error_looks_at_the_model_as_it_is_used_not_as_it_is_trained():
    model = built(with_dropout).train()
    assert error(model, *TEST) == error(model.train(), *TEST)
    assert not model.training


@pytest.mark.parametrize("build", [linear, with_dropout])
def test_the_same_seed_gives_the_same_training(build):
    first, second = built(build), built(build)
    torch.manual_seed(1)
    losses = train(first, *TRAIN, steps=30, seed=3).losses
    torch.manual_seed(2)  # what the notebook drew before does not matter
    assert train(second, *TRAIN, steps=30, seed=3).losses == losses
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))


def test_another_seed_gives_other_batches():
    first, second = (train(built(linear), *TRAIN, steps=30, seed=seed) for seed in (3, 4))
    assert first.losses != second.losses


def test_models_see_the_same_batches_whatever_their_layers_draw():
    class Recorder(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body, self.seen = body, []

        def forward(self, x):
            self.seen.append(x)
            return self.body(x)

    models = Recorder(built(linear)), Recorder(built(with_dropout))
    for model in models:
        train(model, *TRAIN, steps=5)
    assert all(torch.equal(a, b) for a, b in zip(*(model.seen for model in models), strict=True))


def test_global_randomness_and_threads_are_left_as_they_were():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        state = torch.get_rng_state()
        compare({"dropout": with_dropout}, TRAIN, TEST, steps=3, seeds=[0])
        train(built(with_dropout), *TRAIN, steps=3)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_training_runs_on_one_thread_and_gives_the_others_back_even_if_it_fails():
    seen = []

    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            seen.append(torch.get_num_threads())
            raise KeyboardInterrupt

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(KeyboardInterrupt):
            train(Fails(), *TRAIN, steps=3)
        assert seen == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_comparison_keeps_everything_of_every_seed():
    result = compare({"linear": linear, "blind": blind}, TRAIN, TEST, steps=100, seeds=[5, 6, 7])
    run = result.runs["linear"]
    assert list(result.runs) == ["linear", "blind"]
    assert run.parameters == 34 and result.runs["blind"].parameters == 4
    assert [len(record.losses) for record in run.records] == [100] * 3
    assert [error(model, *TEST) for model in run.models] == run.errors
    assert run.mean == pytest.approx(sum(run.errors) / 3)
    assert result.minus("linear", "blind").values == [
        a - b for a, b in zip(run.errors, result.runs["blind"].errors, strict=True)
    ]
    assert run.mean < 15 and result.runs["blind"].mean > 35


def test_a_seed_of_a_comparison_decides_the_initial_parameters_too():
    once, again, other = (
        compare({"linear": linear}, TRAIN, TEST, steps=1, seeds=[seed]).runs["linear"] for seed in (0, 0, 1)
    )
    assert once.records[0].losses == again.records[0].losses
    assert not torch.equal(once.models[0][1].weight, other.models[0][1].weight)
    assert torch.allclose(built(linear, 1)[1].weight, other.models[0][1].weight, atol=0.01)


def test_the_table_shows_each_seed_by_its_number_and_what_the_rule_says():
    result = compare({"a <b>": blind, "linear": linear}, TRAIN, TEST, steps=50, seeds=[5, 7, 8])
    html = result._repr_html_()
    for text in (repr(result), html):
        assert "34" in text and "50 steps" in text
        assert all(f"seed {seed}" in text for seed in (5, 7, 8)) and "seed 0" not in text
        assert all(f"{error:.1f}" in text for run in result.runs.values() for error in run.errors)
        assert str(result.minus("linear", "a <b>")) in text
        assert "better" in text and "worse" not in text
        assert "REDUCED" not in text
    assert "worse" in repr(result.table("linear"))
    assert "a &lt;b&gt;" in html and "<b>" not in html


def test_one_seed_has_no_standard_error_to_show():
    text = repr(compare({"linear": linear, "blind": blind}, TRAIN, TEST, steps=5, seeds=[0]))
    assert "± " not in text.split("\n", 1)[1] and "nan" not in text and "undecided" in text


def test_one_model_is_compared_with_none():
    assert "minus" not in repr(compare({"linear": linear}, TRAIN, TEST, steps=5, seeds=[0]))


def test_a_recording_run_takes_the_seeds_that_it_is_asked_for(monkeypatch):
    monkeypatch.setenv("ATTENTION_LAB_SEEDS", "11,12")
    assert compare({"linear": linear}, TRAIN, TEST, steps=2, seeds=range(5)).seeds == [11, 12]


# -- one rule for "different"


@pytest.mark.parametrize(
    ("a", "b", "mean", "standard_error", "word"),
    [
        ([1.0, 2.0, 3.0], [5.0, 6.0, 7.0], -4, 0, "better"),
        ([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], 4, 0, "worse"),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], 2, 3**-0.5, "worse"),
        ([0.0, 2.0, 3.0], [0.0, 0.0, 0.0], 5 / 3, 0.8819171, "undecided"),  # 1.9 standard errors
        ([1.0, 2.0], [5.0, 6.0], -4, 0, "undecided"),  # two seeds never decide
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0, 0, "undecided"),
    ],
)
def test_two_standard_errors_of_the_paired_differences_decide(a, b, mean, standard_error, word):
    apart = Difference.between(a, b)
    assert apart.mean == pytest.approx(mean)
    assert apart.standard_error == pytest.approx(standard_error, abs=1e-6)
    assert apart.in_words("better", "worse") == word
    assert apart.decided == (word != "undecided")


def test_what_is_common_to_a_seed_does_not_count():
    hard = [0.0, 30.0, 10.0, 20.0]
    assert Difference.between([h + 1 for h in hard], [h + d for h, d in zip(hard, [0, 0.1, -0.1, 0])]).decided


def test_the_standard_error_shrinks_as_the_root_of_the_number_of_seeds():
    few, many = ([1.0, 3.0] * n for n in (50, 200))
    error = [Difference(values).standard_error for values in (few, many)]
    assert error[0] / error[1] == pytest.approx(2, rel=0.01)


def test_a_difference_is_shown_with_its_standard_error_and_as_many_decimals_as_asked():
    apart = Difference([1.0, 2.0, 3.0])
    assert str(apart) == "+2.0 ± 0.6" and f"{apart:.3f}" == "+2.000 ± 0.577"
    assert str(Difference([-1.0])) == "-1.0"


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([], [])])
def test_what_is_not_paired_has_no_difference(a, b):
    with pytest.raises(ValueError, match="one number a seed"):
        Difference.between(a, b)


@pytest.mark.usefixtures("reduced")
def test_reduced_mode_reduces_steps_and_seeds_and_says_so():
    assert fast()
    result = compare({"linear": linear}, TRAIN, TEST, steps=1000, seeds=range(5))
    assert [len(record.losses) for record in result.runs["linear"].records] == [FAST_STEPS] * FAST_SEEDS
    assert "REDUCED RUN" in repr(result) and "REDUCED RUN" in result._repr_html_()
    assert f"{FAST_STEPS} steps" in repr(result)
    assert "reduced" in repr(train(built(linear), *TRAIN, steps=1000))


@pytest.mark.usefixtures("reduced")
def test_reduced_mode_never_trains_longer_than_asked():
    assert len(train(built(linear), *TRAIN, steps=3).losses) == 3


def test_only_1_switches_the_reduced_mode_on(monkeypatch: pytest.MonkeyPatch):
    assert not fast()
    monkeypatch.setenv("ATTENTION_LAB_FAST", "0")
    assert not fast()


def test_progress_leaves_nothing_in_a_log_file():
    code = (
        "import torch; from attention_lab.training import train;"
        "train(torch.nn.Linear(2, 2), torch.zeros(1, 2), torch.zeros(1).long(), 3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_progress_leaves_nothing_in_a_saved_notebook():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    code = (
        "import torch; from attention_lab.training import train; print('before')\n"
        "train(torch.nn.Linear(2, 2), torch.zeros(1, 2), torch.zeros(1).long(), 3); print('after')"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, store_widget_state=False).execute()
    shown = [output.get("text") or output["data"] for output in notebook.cells[0].outputs]
    assert shown == ["before\n", {"text/plain": ""}, "after\n"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": TRAIN[1][:-1]}, "images and labels"),
        ({"images": TRAIN[0][:0], "labels": TRAIN[1][:0]}, "at least one"),
        ({"steps": 0}, "steps"),
        ({"batch": 0}, "batch"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(change: dict, message: str):
    arguments = {"images": TRAIN[0], "labels": TRAIN[1], "steps": 3} | change
    with pytest.raises(ValueError, match=message):
        train(built(linear), **arguments)


def test_a_comparison_needs_a_seed():
    with pytest.raises(ValueError, match="seeds"):
        compare({"linear": linear}, TRAIN, TEST, steps=3, seeds=[])


def test_the_same_difference_is_shown_from_a_few_seeds_and_from_recorded_ones():
    comparison = compare({"linear": linear, "blind": blind}, TRAIN, TEST, steps=2, seeds=[4, 5])
    more = Recording([10, 11, 12], {"linear": [1.0, 2.0, 3.0], "blind": [50.0, 51.5, 51.5]}, "", {})
    table = with_more_seeds(comparison, more, [("blind", "linear")])
    here = comparison.minus("blind", "linear")
    assert table.rows == [["“blind” minus “linear”", str(here), "undecided", "+49.0 ± 0.3", "worse"]]
    assert table.header[1::2] == ["here, seeds 4-5", "recorded, seeds 10-12"]
    assert with_more_seeds(comparison, more).rows == table.rows, "by default, each against the first"


def test_differences_of_a_reduced_run_say_so(reduced):
    comparison = compare({"linear": linear, "blind": blind}, TRAIN, TEST, steps=2, seeds=[4, 5])
    more = Recording([10], {"linear": [1.0], "blind": [50.0]}, "", {})
    assert "REDUCED RUN" in with_more_seeds(comparison, more, [("blind", "linear")]).caption
