"""Outputs: what a cell shows, as plain data, and no more of it than a page can hold."""

from dataclasses import dataclass, field, replace

from .wire import LongText

NO_TEXT = LongText()
MOST_OUTPUTS = 1000  # of one cell
MOST_LETTERS = 4_000_000  # of all outputs of one cell
MORE = "... and more, which is left out here.\n"


@dataclass(frozen=True)
class Output:
    """Something that a cell shows.

    kind: stream, display_data, execute_result or error, as in nbformat.
    name: of the stream or of the error.
    text: of the stream, or the error's message.
    formats: what is displayed, by MIME type; pictures in base64.
    traceback: of the error.
    """

    kind: str
    name: str = ""
    text: LongText = NO_TEXT
    formats: dict[str, LongText] = field(default_factory=dict)
    traceback: list[str] = field(default_factory=list)


class Outputs(list[Output]):
    """What a cell has shown so far."""

    def __init__(self):
        super().__init__()
        self.room = MOST_LETTERS

    def add(self, output: Output) -> None:
        texts = [output.text, *output.formats.values(), *output.traceback]
        self.room -= sum(map(len, texts))
        if len(self) > MOST_OUTPUTS or self[-1:] == [Output("stream", "stderr", LongText(MORE))]:
            return
        if len(self) == MOST_OUTPUTS or self.room < 0:
            output = Output("stream", "stderr", LongText(MORE))
        last = self[-1] if self else None
        if last and output.kind == "stream" == last.kind and output.name == last.name and output.text != MORE:
            self[-1] = replace(last, text=LongText(last.text + output.text))
        else:
            self.append(output)
