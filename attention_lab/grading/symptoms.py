"""Symptoms: mistakes that any exercise can meet, known by the error that is raised or by the change that mends them."""

import re
from collections import Counter
from typing import NamedTuple

from .changes import KINDS, Change
from .exercise import Misconception
from .observe import Observation, Problem

LINE_UP = (
    "Write down the shapes of both, one under the other, last axis under last axis. Is a 1 missing, or an axis out of place? Or "
    "has a step made one of them longer or shorter?"
)
LAYERS = "Which layer makes this tensor, and which one takes it? Write the shape behind every line."


class Error(NamedTuple):
    """A mistake that is known by the text of an error, whose groups fill in the name."""

    id: str
    pattern: str
    name: str
    question: str


ERRORS = (
    Error(
        "no-forward",
        r"has no method forward",
        "forward is missing, misspelt, or stands inside another method",
        "How is it spelt, and how far is it indented?",
    ),
    Error(
        "no-return",
        r"is a return missing",
        "nothing is returned",
        "Which line gives the result back?",
    ),
    Error(
        "not-called",
        r"must be a tensor or a number, not (?!None)(\w+)",
        "a {0} is returned, no tensor",
        "Is it a layer that was built, but not yet called with x?",
    ),
    Error(
        "super",
        r"cannot assign \w+ before Module.__init__",
        "a layer is assigned before nn.Module is set up: super().__init__() is missing or not called",
        "What must the first line of __init__ do, brackets included?",
    ),
    Error(
        "float-size",
        r"argument 'size' .* element of type float",
        "a layer gets a width that is no whole number: / makes a float",
        "Which division of whole numbers gives a whole number?",
    ),
    Error(
        "matrix-sizes",
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        "a linear layer, or a matrix, made for {1} numbers receives {0}",
        "Which axis comes last when the layer is called? Is it the one that you built the layer for?",
    ),
    Error(
        "axes-apart",
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
        "two tensors meet whose axes do not line up: {0} against {1}",
        LINE_UP,
    ),
    Error(
        "joined-shapes",
        r"Sizes of tensors must match except in dimension",
        "tensors of different shapes are joined",
        LINE_UP,
    ),
    Error(
        "view-size",
        r"shape '(.*)' is invalid for input of size (\d+)",
        "a view or reshape asks for the shape {0}, but there are {1} numbers",
        "Multiply the sizes that you ask for. Which axis has another size than you think?",
    ),
    Error(
        "view-memory",
        r"view size is not compatible",
        "view cannot join axes that were moved before",
        "What does view need of the memory, and which method does not need it?",
    ),
    Error(
        "norm-width",
        r"running_mean should contain (\d+) elements not (\d+)",
        "a batch normalisation made for {1} channels receives {0}",
        LAYERS,
    ),
    Error(
        "norm-kind",
        r"expected \w+ or \w+ input \(got (\w+) input\)|expected 4D input \(got (\w+) input\)",
        "a batch normalisation of the wrong kind: 1d takes (N, C), 2d takes (N, C, H, W)",
        LAYERS,
    ),
    Error(
        "conv-width",
        r"expected input\[.*\] to have (\d+) channels, but got (\d+) channels",
        "a convolution made for {0} channels receives {1}",
        LAYERS,
    ),
    Error(
        "layer-norm-width",
        r"Given normalized_shape=\[(\d+)\], expected input with shape",
        "a layer normalisation made for {0} features receives another last axis",
        LAYERS,
    ),
    Error(
        "no-such-axis",
        r"Dimension out of range|Dimension specified as|dimension out of range",
        "an axis is named that the tensor does not have",
        "How many axes has the tensor in this line? Counting starts at 0.",
    ),
    Error(
        "fixed-size",
        r"Output size is too small|Kernel size can't be greater|Calculated padded input size",
        "a pooling or kernel of fixed size is larger than the map",
        "Must it work for every height and width?",
    ),
    Error(
        "unpacking",
        r"too many values to unpack \(expected (\d+)\)|not enough values to unpack \(expected (\d+)",
        "as many names as {0} stand on the left, but there are more or fewer values on the right",
        "Print the shape, or what the function returns. How many values are there?",
    ),
    Error(
        "no-attribute",
        r"'(\w+)' object has no attribute '(\w+)'",
        "{1} is used, but a {0} has no such thing",
        "Where is it set, and how is it written there? Is it a tensor, a module or a tuple?",
    ),
    Error(
        "no-name",
        r"name '(\w+)' is not defined",
        "the name {0} is used, but never given a value",
        "Where does it come from: an argument, self, or a cell that you have not run?",
    ),
    Error(
        "init-arguments",
        r"__init__\(\) takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) were given",
        "the class is built with {1} arguments (self among them), but its __init__ takes {0}",
        "Is __init__ spelt with two underscores on both sides, and has it the arguments of the statement?",
    ),
    Error(
        "call-arguments",
        r"(\w+)\(\) takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) were given",
        "{0} is called with {2} arguments, but takes {1}",
        "Has every method self as its first argument?",
    ),
    Error(
        "missing-argument",
        r"missing (\d+) required positional arguments?: (.*)",
        "an argument is missing in a call: {1}",
        "How is the function defined that this line calls?",
    ),
    Error(
        "unknown-argument",
        r"got an unexpected keyword argument '(\w+)'",
        "an argument {0} is given that is not in the definition",
        "How does the statement call the arguments?",
    ),
    Error(
        "not-a-tensor",
        r"must be Tensor, not (\w+)",
        "a function of torch receives an {0}, no tensor",
        "Is it one number? Then Python's own function does it: the module math, or ** 0.5.",
    ),
    Error(
        "single-numbers",
        r"only one element tensors can be converted|can only convert an array of size 1",
        "a function for single numbers meets a tensor",
        "Which function of torch does the same to every number at once?",
    ),
    Error(
        "numpy",
        r"Can't call numpy\(\) on Tensor that requires grad",
        "a tensor that belongs to a graph is handed to numpy",
        "Which function of torch does the same as that of numpy? Or should there be no graph here?",
    ),
    Error(
        "operands",
        r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'",
        "{0} is asked of a {1} and a {2}",
        "What is each of the two? Has a call forgotten its brackets, or a function its return?",
    ),
    Error(
        "kind-of-thing",
        r"'(\w+)' object is not (callable|subscriptable|iterable)",
        "an object of type {0} is used as if it were {1}",
        "What kind of thing is it? Print its type.",
    ),
    Error(
        "read-too-early",
        r"cannot access local variable '(\w+)'",
        "{0} is read before this function has given it a value",
        "Does it belong to the function around this one (nonlocal)? Or is it given a value only in one branch of an if?",
    ),
    Error(
        "divided-by-zero",
        r"division by zero",
        "a number is divided by 0",
        "For which input is the divisor 0? Can you compare without dividing?",
    ),
    Error(
        "no-graph",
        r"element 0 of tensors does not require grad",
        "no path leads from the result back to what it was computed from",
        "Is gradient computation switched off, or a tensor detached?",
    ),
    Error(
        "memory",
        r"out of memory|can't allocate memory|not enough memory",
        "far more memory is asked for than this needs",
        "Which line makes the largest tensor? Multiply its sizes.",
    ),
)


def of_error(problem: Problem) -> Misconception | None:
    """The mistake that is known by an error, if it is one of those."""
    for error in ERRORS:
        if found := re.search(error.pattern, problem.message):
            name = error.name.format(*(group for group in found.groups() if group is not None))
            return Misconception(
                error.id, name, error.question, f"line {problem.number}: {problem.line}" * bool(problem.line)
            )
    return None


def of_change(change: Change, equation: str) -> Misconception:
    """The mistake whose change mends the answer, told by its place."""
    _, name, question = KINDS[change.kind]
    return Misconception(change.kind, f"{name}, in line {change.line}: {change.code}", question, equation)


def of_unused(arguments: list[str], equation: str) -> Misconception | None:
    if not arguments:
        return None
    *first, last = arguments
    names = f"{', '.join(first)} and {last} are" if first else f"{last} is"
    return Misconception("unused-argument", f"{names} never used", "What should change when it changes?", equation)


def of_made_in_calls(line: int, code: str) -> Misconception:
    return Misconception(
        "made-in-calls",
        f"a layer is made anew in every call, in line {line}: {code}",
        "Where must a layer be made, so that the module keeps it and training can change it?",
        "layers are attributes of self, made in __init__",
    )


def of_layers(got: Observation, expected: Observation) -> Misconception | None:
    """Which layers are missing, too many, or of another size, where there are not as many numbers as there should be."""
    apart = got.parameters - expected.parameters
    ours, theirs = (Counter(number for _, number in seen.layers) for seen in (got, expected))
    extra, missing = list((ours - theirs).elements()), list((theirs - ours).elements())
    if not apart or sum(extra) - sum(missing) != apart or len({*extra}) > 1 or len({*missing}) > 1:
        return None
    name = question = ""
    if not extra:
        times = f"{len(missing)} times " if len(missing) > 1 else ""
        name = f"{numbers(-apart)} missing, {times}as many as {layers_of(missing[0], expected)} has"
        question = "Which step of the equation has no layer of its own in your code, or shares one with another step?"
    elif not missing:
        times = f"{len(extra)} times " if len(extra) > 1 else ""
        name = f"{numbers(apart)} too many, {times}as many as your {layers_of(extra[0], got)} has"
        question = "Which step of the equation is this layer?"
    elif len(extra) == len(missing):
        layers = (
            f"a layer of {missing[0]:,} is" if len(missing) == 1 else f"{len(missing)} layers of {missing[0]:,} are"
        )
        name = f"your {layers_of(extra[0], got)} has {extra[0]:,} numbers, where {layers} expected"
        question = "What should it take, and what give? Write both widths, and the size of its kernel if it has one."
    return Misconception("layers", name, question) if name else None


def numbers(count: int) -> str:
    return "1 number is" if count == 1 else f"{count:,} numbers are"


def layers_of(number: int, seen: Observation) -> str:
    """The layers with so many numbers."""
    return " or ".join(dict.fromkeys(what for what, its_number in seen.layers if its_number == number))
