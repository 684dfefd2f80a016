"""Symptoms: mistakes that any exercise can meet, known by the error that Python or PyTorch raises or by what mends them."""

import re

from .exercise import Misconception
from .observe import Problem
from .repairs import Repair

LINE_UP = "Write down the shapes of both, one under the other, last axis under last axis. Where is a 1 missing?"
LAYERS = "Which layer makes this tensor, and which one takes it? Write the shape behind every line."

ERRORS = (
    ("is a return missing", "nothing is returned", "Which line gives the result back?"),
    (
        r"cannot assign \w+ before Module.__init__",
        "a layer is assigned before nn.Module is set up: super().__init__() is missing or not called",
        "What must the first line of __init__ do, brackets included?",
    ),
    (
        r"argument 'size' .* element of type float",
        "a layer gets a width that is no whole number: / makes a float",
        "Which division of whole numbers gives a whole number?",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        "a linear layer, or a matrix, made for {1} numbers receives {0}",
        "Which axis comes last when the layer is called? Is it the one that you built the layer for?",
    ),
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
        "two tensors meet whose axes do not line up: {0} against {1}",
        LINE_UP,
    ),
    (r"Sizes of tensors must match except in dimension", "tensors of different shapes are joined", LINE_UP),
    (r"shape '(.*)' is invalid for input of size (\d+)", "a view or reshape asks for the shape {0}, but there are {1} numbers",
     "Multiply the sizes that you ask for. Which axis has another size than you think?"),
    (r"view size is not compatible", "view cannot join axes that were moved before",
     "What does view need of the memory, and which method does not need it?"),
    (r"running_mean should contain (\d+) elements not (\d+)",
     "a batch normalisation made for {1} channels receives {0}", LAYERS),
    (r"expected \w+ or \w+ input \(got (\w+) input\)|expected 4D input \(got (\w+) input\)",
     "a batch normalisation of the wrong kind: 1d takes (N, C), 2d takes (N, C, H, W)", LAYERS),
    (r"expected input\[.*\] to have (\d+) channels, but got (\d+) channels",
     "a convolution made for {0} channels receives {1}", LAYERS),
    (r"Given normalized_shape=\[(\d+)\], expected input with shape",
     "a layer normalisation made for {0} features receives another last axis", LAYERS),
    (r"Dimension out of range|Dimension specified as|dimension out of range",
     "an axis is named that the tensor does not have", "How many axes has the tensor in this line? Counting starts at 0."),
    (r"Output size is too small|Kernel size can't be greater|Calculated padded input size",
     "a pooling or kernel of fixed size is larger than the map", "Must it work for every height and width?"),
    (r"too many values to unpack \(expected (\d+)\)|not enough values to unpack \(expected (\d+)",
     "as many names as {0} stand on the left, but there are more or fewer values on the right",
     "Print the shape, or what the function returns. How many values are there?"),
    (r"'(\w+)' object has no attribute '(\w+)'", "{1} is used, but a {0} has no such thing",
     "Where is it set, and how is it written there? Is it a tensor, a module or a tuple?"),
    (r"name '(\w+)' is not defined", "the name {0} is used, but never given a value",
     "Where does it come from: an argument, self, or a cell that you have not run?"),
    (r"__init__\(\) takes (\d+) positional arguments? but (\d+) were given",
     "the class is built with {1} arguments (self among them), but its __init__ takes {0}",
     "Is __init__ spelt with two underscores on both sides, and has it the arguments of the statement?"),
    (r"(\w+)\(\) takes (\d+) positional arguments? but (\d+) were given",
     "{0} is called with {2} arguments, but takes {1}", "Has every method self as its first argument?"),
    (r"missing (\d+) required positional arguments?: (.*)", "an argument is missing in a call: {1}",
     "How is the function defined that this line calls?"),
    (r"got an unexpected keyword argument '(\w+)'", "an argument {0} is given that is not in the definition",
     "How does the statement call the arguments?"),
    (r"must be Tensor, not (\w+)", "a function of torch receives an {0}, no tensor",
     "Is it one number? Then Python's own function does it: the module math, or ** 0.5."),
    (r"only one element tensors can be converted|can only convert an array of size 1",
     "a function for single numbers meets a tensor", "Which function of torch does the same to every number at once?"),
    (r"Can't call numpy\(\) on Tensor that requires grad", "the computation leaves torch, so no gradient can flow",
     "Which function of torch does the same as that of numpy?"),
    (r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'", "{0} is asked of a {1} and a {2}",
     "What is each of the two? Has a call forgotten its brackets, or a function its return?"),
    (r"'(\w+)' object is not (callable|subscriptable|iterable)", "a {0} is used as if it were {1}",
     "What kind of thing is it? Print its type."),
    (r"element 0 of tensors does not require grad", "no path leads from the result back to what it was computed from",
     "Is gradient computation switched off, or a tensor detached?"),
    (r"out of memory|can't allocate memory|not enough memory", "far more memory is asked for than this needs",
     "Which line makes the largest tensor? Multiply its sizes."),
)  # fmt: skip

REPAIRS = {
    "super": ("super().__init__() is missing, or not called", "What must the first line of __init__ do?"),
    "misspelt": ("a name is misspelt", "How is it written where it is defined, or in the statement?"),
    "self": ("self is missing", "How does a method reach its module, and what is its first argument?"),
    "return": ("a result is computed, but not returned", "Which line gives it back?"),
    "dropped": ("the result of this line is thrown away", "Does the method change its tensor, or give back a new one?"),
    "not-built": (
        "a layer's class stands where the layer is meant",
        "A layer is built once and called later. Where do its own brackets stand?",
    ),
    "maximum": ("max along an axis gives two things: values and places", "Which of the two do you need?"),
    "not-passed": ("an argument does not reach this place", "Which of the function's arguments should decide here?"),
    "axis": ("another axis is meant", "Write the shape of every tensor in this line. Along which axis should it go?"),
    "kept-axis": ("an axis of size 1 is lost or too many", "Write the shapes, last axis under last axis. Do they line up?"),
    "function": ("another function is meant", "What does the equation have here?"),
    "too-much": ("a step too many", "What would be lost without it? Is it in the equation?"),
    "operator": ("another operation is meant", "Which sign stands here in the equation?"),
    "brackets": ("brackets are missing, or stand elsewhere", "What does Python compute first in this line?"),
    "exchanged": ("two things stand in the wrong order", "Read this line aloud, then the statement. What comes first?"),
    "missing": ("a function of the equation is missing here", "What should happen to this value before it is used?"),
    "turned": ("the last two axes should be exchanged", "Which of them is a row, which a column? Write the shapes."),
    "variable": ("another variable is meant", "Which tensor should this step take: one before or one behind another step?"),
    "number": ("another number is meant", "Where does this number come from?"),
}


def symptom(problem: Problem) -> Misconception | None:
    """The mistake that is known by an error, if it is one of those."""
    for pattern, name, question in ERRORS:
        if found := re.search(pattern, problem.message):
            told = name.format(*(group for group in found.groups() if group is not None))
            return Misconception("error", told, question, where(problem.number, problem.line))
    return None


def told(repair: Repair, equation: str) -> Misconception:
    """The mistake whose change mends the answer, told by its place."""
    name, question = REPAIRS[repair.kind]
    return Misconception(repair.kind, f"{name}, in line {repair.line}: {repair.code}", question, equation)


def where(number: int, line: str) -> str:
    return f"line {number}: {line}" if line else ""
