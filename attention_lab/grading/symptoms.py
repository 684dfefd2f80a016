"""Symptoms: mistakes that any exercise can meet, known by the error that is raised or by the change that mends them."""

import re
from collections import Counter
from typing import NamedTuple

import torch

from .changes import KINDS, Change
from .exercise import Misconception
from .observe import Observation, Problem

LINE_UP = (
    "Write down the shapes of both, one under the other, last axis under last axis. Is a 1 missing, or an axis out of place? Or "
    "has a step made one of them longer or shorter?"
)
WHOLE = "Which value in this line is a float, or a whole tensor? // divides whole numbers, int() makes one of a float."
LAYERS = "Which layer makes this tensor, and which one takes it? Write the shape behind every line."


class Error(NamedTuple):
    """A mistake that is known by the text of an error, whose groups fill in the name.

    of_torch: the first group must be the name of a function of torch.
    """

    id: str
    pattern: str
    name: str
    question: str
    of_torch: bool = False


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
        r"argument 's\w+' .*\bfloat\b",
        "a size is given that is no whole number: / makes a float",
        "Which division of whole numbers gives a whole number?",
    ),
    Error(
        "matrix-sizes",
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        "a linear layer, or a matrix, made for {1} numbers receives {0}",
        "Which axis comes last when the layer is called? Is it the one that you built the layer for?",
    ),
    Error(
        "vector-size",
        r"size mismatch, got input \(\d+\), mat \(\d+x(\d+)\), vec \((\d+)\)",
        "a matrix made for {0} numbers receives a vector of {1}",
        LINE_UP,
    ),
    Error(
        "matrices-apart",
        r"first two dimensions of batch2 tensor to be: \[(\d+, \d+)\] but got: \[(\d+, \d+)\]",
        "two matrices cannot be multiplied: (batch, inner size) is ({0}) on the left and ({1}) on the right",
        "Which axis is summed over? It stands last on the left and last but one on the right.",
    ),
    Error(
        "matrix-axes",
        r"must be a (?:3D tensor|matrix)|expects a tensor with <= 2 dimensions",
        "a product or transpose of matrices gets a tensor with another number of axes",
        "How many axes has it? Which function takes axes in front as well: @, transpose?",
    ),
    Error(
        "einsum-sizes",
        r"einsum\(\): subscript (\w) has size (\d+) for operand \d+ which does not broadcast with previously seen size (\d+)",
        "in einsum the letter {0} stands for axes of different sizes: {2} and {1}",
        "Write the letters under the shapes of both tensors. Which one stands at the wrong axis?",
    ),
    Error(
        "einsum-letters",
        r"einsum\(\): ",
        "the letters of einsum do not fit the tensors",
        "Has every tensor a group of letters, every axis a letter of its own, and does each letter behind -> stand before it?",
    ),
    Error(
        "axes-apart",
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
        "two tensors meet whose axes do not line up: {0} against {1}",
        LINE_UP,
    ),
    Error(
        "joined-shapes",
        r"Sizes of tensors must match except in dimension|stack expects each tensor|must have same number of dimensions: got",
        "tensors of different shapes are joined",
        LINE_UP,
    ),
    Error(
        "joined-nothing",
        r"non-empty (?:list of Tensors|TensorList)",
        "an empty list of tensors is joined",
        "Which loop should fill it? Does it ever run?",
    ),
    Error(
        "joined-list",
        r"argument 'tensors' .* must be tuple of Tensors, not (\w+)",
        "tensors are joined that do not stand in one list",
        "Where does the list begin, and where does it end? The axis comes after it.",
    ),
    Error(
        "stretched",
        r"expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\)",
        "an axis of {1} cannot fill one of {0}: only an axis of 1 can be stretched",
        LINE_UP,
    ),
    Error(
        "stretched-axes",
        r"number of sizes provided .* must be greater|repeat dims can not be smaller",
        "fewer sizes are given than the tensor has axes",
        "Which axes has it, and which of them should grow? Every one needs a size, new ones stand in front.",
    ),
    Error(
        "permutation",
        r"^permute\(",
        "permute does not name every axis of the tensor once",
        "How many axes has the tensor in this line? Where should each of them go?",
    ),
    Error(
        "cut-sizes",
        r"unflatten: Provided sizes (\[.*?\]) don't multiply up to the size of dim -?\d+ \((\d+)\)",
        "an axis of {1} is to be cut into {0}",
        "Multiply the sizes that you ask for. Is one of them wrong, or is it another axis?",
    ),
    Error(
        "split-sizes",
        r"expects split_sizes to sum exactly to (\d+) .* split_sizes=(\[.*?\])",
        "an axis of {0} is to be split into {1}",
        "Add the sizes that you ask for. Is one of them wrong, or is it another axis?",
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
        "a convolution receives another number of channels: {1}, not {0}",
        LAYERS,
    ),
    Error(
        "conv-axes",
        r"input to conv(\d)d, but got input of size: \[(.*?)\]",
        "a convolution of kind {0}d receives a tensor of shape ({1})",
        "Which axes does it take: (N, C, L) for 1d, (N, C, H, W) for 2d? Which one is missing, or too many?",
    ),
    Error(
        "conv-groups",
        r"(in|out)_channels must be divisible by groups",
        "the {0}put channels of a convolution cannot be shared among its groups",
        "How many channels does each group take? Does it work for every number that may be asked for?",
    ),
    Error(
        "one-number-a-channel",
        r"Expected more than 1 value per channel when training",
        "a batch normalisation takes the mean of one number, which leaves 0",
        "In which mode is it? And how many images and positions does this layer see at once?",
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
        "past-the-end",
        r"index (-?\d+) is out of bounds for dimension \d+ with size (\d+)",
        "index {0} is asked of an axis of {1}",
        "Counting starts at 0. Which is the last index? And is it the axis that you mean?",
    ),
    Error(
        "past-the-list",
        r"(?:list|tuple|range object) index out of range|index k out of range|Target \d+ is out of bounds",
        "more is asked for than there is",
        "How long is it? Counting starts at 0.",
    ),
    Error(
        "too-many-indices",
        r"too many indices for tensor of dimension (\d+)",
        "more axes are indexed than the tensor has: {0}",
        "Which shape has the tensor in this line? Has an earlier index or mean taken an axis away?",
    ),
    Error(
        "index-axes",
        r"Index tensor must have the same number of dimensions|expected index .* to be no larger than self",
        "gather or scatter gets indices that do not lie along the tensor's axes",
        "Write both shapes, one under the other. Have the indices an axis for every axis of the tensor?",
    ),
    Error(
        "index-kind",
        r"tensors used as indices must be|Expected dtype int32/int64 for index",
        "real numbers are used as indices",
        "Of which dtype are they? Which function makes whole numbers of them, and how does it round?",
    ),
    Error(
        "whole-number",
        r"single element can be converted to an index|be interpreted as an integer|slice indices must be",
        "a whole number is needed, and something else is given",
        WHOLE,
    ),
    Error(
        "mask-shape",
        r"shape of the mask (\[.*?\]) .* of the indexed tensor (\[.*?\])",
        "a mask of shape {0} picks from a tensor of shape {1}",
        LINE_UP,
    ),
    Error(
        "mask-kind",
        r"only supports boolean masks|expected condition to be a boolean",
        "a mask does not hold True and False, but numbers",
        "Which comparison tells the ones from the others?",
    ),
    Error(
        "truth",
        r"Boolean value of Tensor with more than one value",
        "one truth value is asked of a tensor of many numbers",
        "Is it an if, an and, or Python's own max or min? Which function of torch does it for every number at once?",
    ),
    Error(
        "grid",
        r"grid_sampler\(\): expected",
        "grid_sample takes maps (N, C, H, W) and points (N, h, w, 2), and gets other shapes",
        "Print the shape of both. Which axis of the points must come last, and which one can join the rows or the batch?",
    ),
    Error(
        "theta",
        r"batch of 2D affine matrices",
        "affine_grid takes matrices (N, 2, 3), and gets another shape",
        "Which shape has theta in this line?",
    ),
    Error(
        "resized-axes",
        r"must have the same number of spatial dimensions",
        "interpolate takes maps with a channel axis, (N, C, H, W), and gets another number of axes",
        "Which axis is missing? How is one of size 1 put in, and taken out again afterwards?",
    ),
    Error(
        "whole-numbers",
        r"not implemented for 'Long'|could not infer output dtype|to the desired output type Long|Only Tensors of floating point",
        "whole numbers are given where real ones are needed",
        "Which line makes them? arange, argmax and comparisons do. Where do they become real numbers?",
    ),
    Error(
        "kinds-of-numbers",
        r"the same dtype|expected scalar type|Input type \(",
        "numbers of two kinds meet: whole and real ones, or real ones of different precision",
        "Which line makes a tensor of its own? Which dtype has it, and which has the other one?",
    ),
    Error(
        "unpacking",
        r"too many values to unpack \(expected (\d+)\)|not enough values to unpack \(expected (\d+)",
        "as many names as {0} stand on the left, but there are more or fewer values on the right",
        "Print the shape, or what the function returns. How many values are there?",
    ),
    Error(
        "none",
        r"'NoneType' object has no attribute '(\w+)'",
        "{0} is asked of None",
        "What is None in this line: what a function without return gives, an option left out, or a .grad that was never filled?",
    ),
    Error(
        "no-attribute",
        r"'([\w.]+)' object has no attribute '(\w+)'",
        "{1} is asked of something of type {0}, which has no such thing",
        "Where is it set, and how is it written there? Is it a tensor, a module or a tuple?",
    ),
    Error(
        "no-name",
        r"name '(\w+)' is not defined",
        "the name {0} is used, but never given a value",
        "Where does it come from: an argument, self, or a cell that you have not run?",
    ),
    Error(
        "not-a-parameter",
        r"cannot assign '\S+' as (?:parameter|child module|buffer) '(\w+)'",
        "{0} is a parameter or layer of the module, and something of another kind is put in its place",
        "Should only its numbers change, or should it be a new parameter? Or has something else got the same name?",
    ),
    Error(
        "not-a-layer",
        r"(\S+) is not a Module subclass|ModuleList\.\w+ should be called with an iterable",
        "something that is no layer is put among the layers",
        "Are they given one by one, or as a list? Is each one a layer that was built, not its class and no tensor?",
    ),
    Error(
        "torch-arguments",
        r"^(\w+)\(\) (?:takes|received an invalid combination)",
        "{0} is called with arguments that it does not take",
        "Which arguments does it take, which of them only by name, and which must be whole numbers?",
        of_torch=True,
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
        r"must be Tensor, not (\w+)|expected Tensor as element .* but got ([\w.]+)",
        "a function of torch receives something of type {0}, no tensor",
        "Is it one number, for which Python has functions of its own? Or a pair of values and places, of which you want one?",
    ),
    Error(
        "single-numbers",
        r"only one element tensors can be converted|can only convert an array of size 1|cannot be converted to Scalar",
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
        "no-length",
        r"object of type '(\w+)' has no len",
        "the length of something of type {0} is asked for, which has none",
        "What kind of thing is it? Print its type.",
    ),
    Error(
        "not-to-be-changed",
        r"'(\w+)' object does not support item assignment",
        "a part of a {0} is to be changed, which cannot be",
        "Which kind of list can be changed? Or should a new one be made?",
    ),
    Error(
        "endless",
        r"maximum recursion depth exceeded",
        "a function calls itself without an end",
        "Does forward call self(x), or a function one that has its own name?",
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
        "leaf-in-place",
        r"leaf Variable that requires grad",
        "a parameter is written into while gradients are recorded",
        "How are a parameter's numbers set without a record: in which block, or by which function of nn.init?",
    ),
    Error(
        "overwritten",
        r"modified by an inplace operation",
        "numbers are overwritten that a gradient still needs",
        "Which line writes into a tensor (+=, [...] =, a name that ends in _)? Can it make a new one?",
    ),
    Error(
        "graph-twice",
        r"backward through the graph a second time",
        "gradients are asked for twice through one graph",
        "Can one call give all gradients that you need?",
    ),
    Error(
        "not-in-the-graph",
        r"appears to not have been used in the graph",
        "a gradient is asked for a tensor from which the result was not computed",
        "Is it the very tensor that was used, not a copy of it, a detached or a later one?",
    ),
    Error(
        "gradient-of-many",
        r"only for scalar outputs",
        "a gradient is asked of many numbers at once",
        "Of which single number do you want the gradient? How is it made from these?",
    ),
    Error(
        "copy-in-a-graph",
        r"support the deepcopy protocol",
        "a tensor that belongs to a graph is to be copied with its history",
        "What should be copied: the module that you were given? Does it still keep a result of a call?",
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
        found = re.search(error.pattern, problem.message)
        if found and (not error.of_torch or any(hasattr(place, found[1]) for place in (torch, torch.Tensor))):
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
