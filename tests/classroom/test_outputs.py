"""What a cell shows is kept, up to what a page can hold."""

from attention_lab.classroom.outputs import MORE, MOST_LETTERS, MOST_OUTPUTS, Output, Outputs
from attention_lab.classroom.wire import LongText


def printed(text: str, name: str = "stdout") -> Output:
    return Output("stream", name, LongText(text))


def shown(*outputs: Output) -> list[Output]:
    kept = Outputs()
    for output in outputs:
        kept.add(output)
    return list(kept)


def test_what_is_printed_in_pieces_is_one_output():
    assert shown(printed("a"), printed("b"), printed("c", "stderr"), printed("d")) == [
        printed("ab"),
        printed("c", "stderr"),
        printed("d"),
    ]


def test_of_too_many_outputs_the_first_are_kept_and_that_there_were_more_is_told():
    picture = Output("display_data", formats={"image/png": LongText("x")})
    kept = shown(*[picture] * (2 * MOST_OUTPUTS))
    assert len(kept) == MOST_OUTPUTS + 1
    assert (kept[-1].text, kept[-1].name) == (MORE, "stderr")


def test_of_too_many_letters_the_first_are_kept_and_that_there_were_more_is_told():
    line = printed("x" * (MOST_LETTERS // 10))
    kept = shown(*[line] * 25, printed("the end"))
    assert [len(output.text) for output in kept] == [MOST_LETTERS, len(MORE)]


def test_a_picture_beyond_the_limit_is_left_out():
    large = Output("display_data", formats={"image/png": LongText("x" * (MOST_LETTERS + 1))})
    assert [output.text for output in shown(large)] == [MORE]
