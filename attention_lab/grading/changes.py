"""Changes of one place in an answer's own code, of the kinds that people get wrong in any exercise.

A change with which the answer does what a right answer does shows where the mistake is and of which kind it is, whatever
the exercise and the mistake. The changes are made on the syntax tree; the learner is told the place, not the change.

This file runs beside untrusted code, as ``observe`` does.
"""

import ast
import builtins
import copy
import inspect
import itertools
import linecache
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, NamedTuple

from torch import nn

Tree = ast.ClassDef | ast.FunctionDef
Path = tuple[tuple[str, int | None], ...]


class Elsewhere(NamedTuple):
    """Statements that stand for one, or for one that is told by another place than its own."""

    nodes: list[ast.stmt]
    shown: ast.AST


REDUCTIONS = ("mean", "sum", "amax", "max")
ACTIVATIONS = ("sigmoid", "relu", "exp", "sqrt", "tanh", "gelu", "softmax")
ONE_ARGUMENT = {*ACTIVATIONS, "abs", "log", "silu", "leaky_relu", "softplus", "dropout", "normalize"}
WITH_AXES = {*REDUCTIONS, "softmax", "log_softmax", "cat", "concat", "stack", "flatten", "unflatten", "transpose", "amin",
             "min", "unsqueeze", "squeeze", "chunk", "split", "unbind", "cumsum", "argmax", "std", "var", "norm", "permute",
             "size", "expand", "swapaxes", "movedim", "flip"}  # fmt: skip
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow)
METHODS = ("__init__", "forward", "weights")


class Change(NamedTuple):
    """One change: its number, of which kind, in which line of the learner's cell, and what stands there now."""

    number: int
    kind: str
    line: int
    code: str


class Source(NamedTuple):
    """An answer's syntax tree, the names that its code sees, and the text of its cell."""

    tree: Tree
    names: dict[str, Any]
    text: str


def source_of(answer: Any) -> Source | None:
    """None where the code is not known: a built-in, a lambda, something typed outside a cell or file."""
    members = vars(answer).values() if inspect.isclass(answer) else [answer]
    functions = [member for member in members if inspect.isfunction(member)]
    for function in functions:
        text = "".join(linecache.getlines(function.__code__.co_filename))
        if answer.__name__ in (defined := definitions(text)):
            return Source(defined[answer.__name__], function.__globals__, text)
    return None


@lru_cache(64)
def definitions(text: str) -> dict[str, Tree]:
    """What is defined in a cell or file by its names, the last of each; nothing where the text cannot be read."""
    try:
        nodes = ast.walk(ast.parse(text))
    except SyntaxError:
        return {}
    of_kind = (node for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return {node.name: node for node in of_kind if not node.decorator_list}


class Edit(NamedTuple):
    """What stands at some places of the tree instead."""

    places: tuple[tuple[Path, ast.AST | Elsewhere], ...]


def rebuilt(source: Source, edit: Edit, others: dict[str, Any] | None = None) -> Any:
    """What the changed definition defines, in a copy of the learner's names where some may name something else."""
    names = source.names | (others or {})
    module = ast.fix_missing_locations(ast.Module([replaced(source.tree, edit)], []))
    exec(compile(module, "<changed>", "exec"), names)
    return names[source.tree.name]


def changes(source: Source) -> Iterator[tuple[Change, Edit]]:
    """Every change, the likeliest kinds first; what is written twice, but for the names, is also changed in both places."""
    all_places = list(places(source))
    numbers = itertools.count()
    for kind, (changed, *_) in KINDS.items():
        written: dict[str, list[tuple[Path, list]]] = {}
        for path, node, around in all_places:
            made = list(changed(node, around))
            shown_first = first_line(node) if made else ""
            for new in made:
                shown, line = (new.shown, first_line(new.shown)) if isinstance(new, Elsewhere) else (node, shown_first)
                change = Change(next(numbers), kind, line_of(shown, source), line)
                yield change, Edit(((path, new),))
            if isinstance(node, ast.Call | ast.BinOp) and made:
                code = ast.unparse(node)
                key = re.sub(r"\b[a-z_]\w*\b(?![(.=])", "_", code) if isinstance(node, ast.Call) else code
                twins = written.setdefault(key, [])
                twins.append((path, made))
                if len(twins) == 2 and len(twins[0][1]) == len(made):
                    for news in zip(*(made for _, made in twins)):
                        change = Change(next(numbers), kind, line_of(node, source), first_line(node))
                        yield change, Edit(tuple(zip((path for path, _ in twins), news)))


def unused_arguments(source: Source) -> list[str]:
    """The arguments of the answer, or of its class's methods behind the first, that its code never reads."""
    of_class = isinstance(source.tree, ast.ClassDef)
    return [
        argument.arg
        for function in (source.tree.body if of_class else [source.tree])
        if isinstance(function, ast.FunctionDef)
        for argument in function.args.args[of_class:]
        if not reads(function, argument.arg)
    ]


WITH_PARAMETERS = re.compile(r"(Lazy)?(Linear|Bilinear|Conv(Transpose)?\dd|BatchNorm\dd|LayerNorm|GroupNorm|Parameter)")


def made_in_calls(source: Source) -> tuple[int, str] | None:
    """The line and code of a layer with parameters that a method of the class makes each time it is called."""
    if not isinstance(source.tree, ast.ClassDef):
        return None
    for method in source.tree.body:
        if isinstance(method, ast.FunctionDef) and method.name in ("forward", "weights"):
            for node in ast.walk(method):
                if isinstance(node, ast.Call) and WITH_PARAMETERS.fullmatch(name_of(node)):
                    return line_of(node, source), first_line(node)
    return None


def reads(tree: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and not is_stored(n) for n in ast.walk(tree))


def line_of(node: ast.AST, source: Source) -> int:
    return getattr(node, "lineno", source.tree.lineno)


def first_line(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:60]


def places(source: Source) -> Iterator[tuple[Path, ast.AST, "Around"]]:
    """Every node that may be changed, with the way to it and what it sees."""

    def below(
        node: ast.AST, path: Path, function: Function | None, parent: ast.AST | None
    ) -> Iterator[tuple[Path, ast.AST, Around]]:
        if isinstance(node, ast.FunctionDef):
            function = Function(node, function)
        yield path, node, Around(source, function, whole, path, parent)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_comment", "ctx", "op", "decorator_list", "defaults", "bases"):
                continue
            for i, part in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(part, ast.AST):
                    yield from below(part, (*path, (name, i)), function, node)

    whole = Whole(source.tree)
    return below(source.tree, (), None, None)


def replaced(tree: Tree, edit: Edit) -> Tree:
    for path, new in edit.places:
        tree = with_at(tree, path, new)
    return tree


def with_at(node: ast.AST, path: Path, new: ast.AST | Elsewhere) -> ast.AST:
    """The tree with something else at one place; all that is not on the way there is shared with the old one."""
    if not path:
        return new.nodes[0] if isinstance(new, Elsewhere) else new
    (name, i), *way = path
    value = getattr(node, name)
    if i is None:
        return changed(node, **{name: with_at(value, way, new)})
    instead = new.nodes if not way and isinstance(new, Elsewhere) else [with_at(value[i], way, new)]
    return changed(node, **{name: [*value[:i], *instead, *value[i + 1 :]]})


class Function:
    """A function in the answer: its name, its arguments, and these with everything it assigns, or one around it."""

    def __init__(self, node: ast.FunctionDef, outer: "Function | None" = None):
        self.name = node.name
        self.arguments = [a.arg for a in node.args.args if a.arg != "self"]
        with_default = zip(node.args.args[::-1], node.args.defaults[::-1])
        self.numbers = [
            a.arg for a, d in with_default if isinstance(d, ast.Constant) and type(d.value) is float
        ]  # not sizes, which are whole numbers
        stored = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and is_stored(n)]
        self.variables = list(dict.fromkeys([*self.arguments, *stored, *(outer.variables if outer else [])]))


class Whole:
    """What the whole answer holds.

    attributes: those that a class gives itself, and its methods.
    keywords: the named arguments of its calls, by the name of what is called, each set once.
    steps: what is done to a variable, a sum or product or a call of it, by its name, each once.
    """

    def __init__(self, tree: Tree):
        nodes = list(ast.walk(tree))
        assigned = [n.attr for n in nodes if isinstance(n, ast.Attribute) and is_stored(n)]
        methods = [n.name for n in nodes if isinstance(n, ast.FunctionDef) and n is not tree]
        self.attributes = list(dict.fromkeys([*assigned, *methods]))
        self.keywords: dict[str, dict[str, list[ast.keyword]]] = {}
        self.steps: dict[str, dict[str, ast.expr]] = {}
        for node in nodes:
            if isinstance(node, ast.Call):
                self.keywords.setdefault(name_of(node), {}).setdefault(written(node.keywords), node.keywords)
            first = node.left if isinstance(node, ast.BinOp) else None
            if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords and not is_method(node):
                (first,) = node.args
            if isinstance(first, ast.Name):
                self.steps.setdefault(first.id, {}).setdefault(ast.unparse(node), node)


def written(keywords: list[ast.keyword]) -> str:
    return ", ".join(sorted(map(ast.unparse, keywords)))


class Around:
    """What a place in the code sees."""

    def __init__(self, source: Source, function: Function | None, whole: Whole, path: Path, parent: ast.AST | None):
        self.names, self.tree = source.names, source.tree
        self.function, self.whole, self.path = function, whole, path
        self.shape_is_read = isinstance(parent, ast.Attribute) and parent.attr in ("shape", "size", "ndim", "numel")
        self.attributes = whole.attributes
        self.arguments = function.arguments if function else []
        self.variables = function.variables if function else []

    @property
    def is_called(self) -> bool:
        return bool(self.path) and self.path[-1][0] == "func"


def is_stored(node: ast.AST) -> bool:
    return isinstance(node.ctx, ast.Store)


def name_of(call: ast.AST) -> str:
    """The last part of the called name: softmax for F.softmax(x) and for x.softmax(1)."""
    if not isinstance(call, ast.Call):
        return ""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def changed(node: ast.AST, **fields: Any) -> ast.AST:
    """The node with other fields; the rest is shared."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


@cache
def number(value: int) -> ast.AST:
    return loaded(repr(value))


def integer(node: ast.AST) -> int | None:
    """The value of 3 or -1."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = integer(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


@cache
def loaded(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body


def missing_super(node: ast.AST, around: Around) -> Iterator[ast.AST | Elsewhere]:
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        yield changed(node, body=[ast.Expr(loaded("super().__init__()")), *node.body])
    if isinstance(node, ast.Attribute) and node.attr == "__init__" and not around.is_called:
        yield ast.Call(node, [], [])


def misspelt(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef) and isinstance(around.tree, ast.ClassDef) and node.name not in METHODS:
        for near in get_close_matches(node.name, METHODS, 1, 0.6):
            yield changed(node, name=near)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        if node.attr not in around.attributes:
            for near in get_close_matches(node.attr, around.attributes, 2, 0.5):
                yield changed(node, attr=near)
    if isinstance(node, ast.Name) and not is_stored(node) and not known(node.id, around):
        for near in get_close_matches(node.id, [*around.variables, *around.names], 2, 0.6):
            yield changed(node, id=near)


def known(name: str, around: Around) -> bool:
    return name == "self" or name in around.variables or name in around.names or hasattr(builtins, name)


def missing_self(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef) and isinstance(around.tree, ast.ClassDef):
        if not node.args.args or node.args.args[0].arg != "self":
            yield changed(node, args=changed(node.args, args=[ast.arg("self"), *node.args.args]))
    if isinstance(node, ast.Name) and node.id in around.attributes and not known(node.id, around):
        yield ast.Attribute(ast.Name("self", ast.Load()), node.id, node.ctx)


def missing_return(node: ast.AST, around: Around) -> Iterator[ast.AST | Elsewhere]:
    if not isinstance(node, ast.FunctionDef) or node.name == "__init__":
        return
    *before, last = node.body
    if isinstance(last, ast.Expr):
        yield Elsewhere([changed(node, body=[*before, ast.Return(last.value)])], last)
    if isinstance(last, ast.Assign | ast.AugAssign | ast.For | ast.If | ast.With):
        for name in around.variables:
            yield Elsewhere([changed(node, body=[*node.body, ast.Return(ast.Name(name, ast.Load()))])], last)


def dropped_result(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        if isinstance(node.value.func.value, ast.Name):
            yield ast.Assign([ast.Name(node.value.func.value.id, ast.Store())], node.value, lineno=node.lineno)


def class_not_built(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and name_of(node)[:1].isupper() and node.args and around.function:
        if around.function.name != "__init__":
            yield ast.Call(ast.Call(node.func, [], []), node.args, node.keywords)
    if isinstance(node, ast.Attribute | ast.Name) and not around.is_called and around.function:
        if isinstance(value := getattr(nn, getattr(node, "attr", ""), None), type) and value is not nn.Module:
            yield ast.Call(node, [], [])


def not_passed_on(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """A fixed number where an argument of the function is meant, or a call that leaves an argument out."""
    if (value := integer(node)) is not None:
        yield from (ast.Name(name, ast.Load()) for name in around.arguments if value > 1 or name in ("dim", "axis"))
    if isinstance(node, ast.Call) and name_of(node).startswith("Conv") and len(node.args) == 5:
        named = (ast.keyword(name, value) for name, value in zip(("padding", "dilation"), node.args[3:]))
        yield changed(node, args=node.args[:3], keywords=[*node.keywords, *named])
    if isinstance(node, ast.Call) and around.function and around.function.name == "__init__":
        given = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        kind = getattr(nn, name_of(node), None)
        accepted = parameters_of(kind) if kind else around.arguments
        for name in around.arguments:
            if name in accepted and name not in {k.arg for k in node.keywords}:
                yield changed(node, keywords=[*node.keywords, ast.keyword(name, ast.Name(name, ast.Load()))])
            if not kind and name not in given and name_of(node) in around.names:
                yield changed(node, args=[*node.args, ast.Name(name, ast.Load())])


def fixed_size(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """A fixed number where a size of the first argument is meant, the number of its positions, or the root of a size."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value > 1 and around.arguments:
        first = around.arguments[0]
        yield from (loaded(f"{first}.shape[{i}]") for i in (-1, 1, 2, 0))
        yield from (loaded(f"({first}.shape[-1] * {first}.shape[-2])"), loaded(f"{first}.shape[-1] ** 0.5"))


def without_argument(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """A value that an argument with a number as default should divide or multiply too."""
    if isinstance(node, ast.Name) and not is_stored(node) and node.id in around.variables and not around.shape_is_read:
        for name in around.function.numbers:
            if name != node.id:
                yield from (ast.BinOp(node, kind(), ast.Name(name, ast.Load())) for kind in (ast.Div, ast.Mult))


def as_in_sibling(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """The named arguments of another call of the same function."""
    if isinstance(node, ast.Call) and name_of(node):
        own = written(node.keywords)
        sets = around.whole.keywords[name_of(node)]
        yield from (changed(node, keywords=keywords) for key, keywords in sets.items() if key != own)


def parameters_of(kind: Any) -> list[str]:
    try:
        return list(inspect.signature(kind).parameters)
    except (TypeError, ValueError):
        return []


def axis(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Call) or name_of(node) not in WITH_AXES:
        return
    for i, argument in enumerate(node.args):
        for new in other_axes(argument):
            yield changed(node, args=[*node.args[:i], new, *node.args[i + 1 :]])
    for i, keyword in enumerate(node.keywords):
        for new in other_axes(keyword.value) if keyword.arg in ("dim", "axis", "start_dim") else ():
            yield changed(node, keywords=[*node.keywords[:i], ast.keyword(keyword.arg, new), *node.keywords[i + 1 :]])
    if name_of(node) in ("max", "min") and not node.keywords and len(node.args) == (0 if is_method(node) else 1):
        for name in [name for name in around.arguments if name in ("dim", "axis")] or ["-1", "1"]:
            most = changed(node, func=renamed(node.func, f"a{name_of(node)}"), args=[*node.args, loaded(name)])
            yield changed(most, keywords=[loaded_keyword("keepdim", True)])
    takes_axes = name_of(node) in (*REDUCTIONS, "softmax") and not node.keywords
    if takes_axes and len(node.args) == (0 if is_method(node) else 1):
        yield from (changed(node, args=[*node.args, loaded(axes)]) for axes in ("1", "-1", "(2, 3)", "0"))
        variables = [ast.Name(name, ast.Load()) for name in around.arguments if name in ("dim", "axis")]
        yield from (
            changed(node, args=[*node.args, name], keywords=[loaded_keyword("keepdim", True)]) for name in variables
        )


def is_method(call: ast.Call) -> bool:
    """Whether x.mean(1), not torch.mean(x, 1)."""
    module = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id
    return isinstance(call.func, ast.Attribute) and module not in ("torch", "F", "nn", "math", "np")


def loaded_keyword(name: str, value: object) -> ast.keyword:
    return ast.keyword(name, ast.Constant(value))


def other_axes(node: ast.AST) -> Iterator[ast.AST]:
    old = integer(node)
    if old is not None and -4 <= old <= 4:
        yield from (number(new) for new in (-1, 1, 2, 0, -2, 3) if new != old)
    if old is not None:
        yield from (loaded(axes) for axes in ("(2, 3)",))
    if isinstance(node, ast.Tuple | ast.List) and all(integer(part) is not None for part in node.elts):
        yield from (loaded(axes) for axes in ("(2, 3)", "(-2, -1)", "1", "-1"))


def kept_axis(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and name_of(node) in REDUCTIONS:
        others = [k for k in node.keywords if k.arg not in ("keepdim", "keepdims")]
        if len(others) < len(node.keywords):
            yield changed(node, keywords=others)
        else:
            yield changed(node, keywords=[*others, loaded_keyword("keepdim", True)])
    if isinstance(node, ast.Call) and name_of(node) in ("squeeze", "flatten", "unsqueeze") and is_method(node):
        yield node.func.value
        if not node.args:
            yield from (changed(node, args=[number(new)]) for new in (-1, 1, 2))
    if isinstance(node, ast.Name) and not is_stored(node) and node.id in around.variables and not around.shape_is_read:
        yield from (ast.Call(ast.Attribute(node, "unsqueeze", ast.Load()), [number(new)], []) for new in (1, -1, 2))


def tuple_of_maximum(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and name_of(node) in ("max", "min") and (node.args or node.keywords):
        yield ast.Attribute(node, "values", ast.Load())


def other_function(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    name = name_of(node)
    if name in REDUCTIONS:
        for other in REDUCTIONS[:3]:
            if other != name:
                yield changed(node, func=renamed(node.func, other))
    if name in ONE_ARGUMENT:
        for other in ACTIVATIONS[:-1]:
            if other != name:
                yield (
                    changed(node, func=loaded(f"torch.{other}"))
                    if not is_method(node)
                    else changed(node, func=renamed(node.func, other), args=[], keywords=[])
                )
    if name in ("long", "int") and is_method(node):
        yield changed(node, func=ast.Attribute(method_of(node.func.value, "floor"), name, ast.Load()))
    if name == "sqrt":
        yield changed(node, func=loaded("__import__('math').sqrt"))
    if name in ("ReLU", "Sigmoid", "GELU", "Tanh", "SiLU", "LeakyReLU", "Softmax") and not node.args:
        yield from (loaded(f"nn.{other}()") for other in ("ReLU", "Sigmoid", "GELU", "Identity") if other != name)
    if name in ("BatchNorm1d", "BatchNorm2d", "LayerNorm"):
        yield from (
            changed(node, func=renamed(node.func, other))
            for other in ("BatchNorm1d", "BatchNorm2d", "LayerNorm")
            if other != name
        )


def method_of(value: ast.AST, name: str) -> ast.Call:
    return ast.Call(ast.Attribute(value, name, ast.Load()), [], [])


def renamed(function: ast.AST, name: str) -> ast.AST:
    return changed(function, attr=name) if isinstance(function, ast.Attribute) else ast.Name(name, ast.Load())


def too_much(node: ast.AST, around: Around) -> Iterator[ast.AST | Elsewhere]:
    """A function around a value, a factor, a term or a line that should not be there."""
    if isinstance(node, ast.Call) and name_of(node) in {
        *ONE_ARGUMENT,
        *REDUCTIONS,
        "view",
        "reshape",
        "flip",
        "transpose",
        "round",
    }:
        yield node.func.value if is_method(node) else node.args[0] if node.args else node
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
            yield node.args[0]
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) and around.function:
        yield Elsewhere([ast.Pass()], node)
    if isinstance(node, ast.Call) and name_of(node) == "Sequential":
        for i, _layer in enumerate(node.args):
            yield changed(node, args=[*node.args[:i], *node.args[i + 1 :]])


def operator(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        building = around.function is not None and around.function.name == "__init__"
        kinds = OPERATORS[:-2] if building else OPERATORS  # a power of a width would be a huge layer
        yield from (changed(node, op=kind()) for kind in kinds if not isinstance(node.op, kind))
        for constant, value in ((node.left, node.right), (node.right, node.left)):
            if integer(constant) is not None and integer(value) is None:
                pairs = itertools.product(OPERATORS[:5], (1, 2))
                yield from (ast.BinOp(value, kind(), number(other)) for kind, other in pairs)
    if isinstance(node, ast.AugAssign):
        yield from (changed(node, op=kind()) for kind in OPERATORS[:4] if not isinstance(node.op, kind))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert | ast.Not):
        yield node.operand
    if isinstance(node, ast.Name) and not is_stored(node) and "mask" in node.id:
        yield ast.UnaryOp(ast.Invert(), node)


def brackets(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """(a / b) + c where a / (b + c) is meant, and the other way round."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp):
        yield ast.BinOp(node.left.left, node.left.op, ast.BinOp(node.left.right, node.op, node.right))
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.BinOp):
        yield ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), node.right.op, node.right.right)
    for call, other, left in (
        ((node.left, node.right, True), (node.right, node.left, False)) if isinstance(node, ast.BinOp) else ()
    ):
        if isinstance(call, ast.Call) and len(call.args) == 1:  # f(a) + b where f(a + b) is meant
            terms = (call.args[0], other) if left else (other, call.args[0])
            yield changed(call, args=[ast.BinOp(terms[0], node.op, terms[1])])
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp) and isinstance(node.left.right, ast.Call):
        call = node.left.right  # c + f(a) + b where c + f(a + b) is meant
        if len(call.args) == 1:
            inside = changed(call, args=[ast.BinOp(call.args[0], node.op, node.right)])
            yield ast.BinOp(node.left.left, node.left.op, inside)
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.BinOp):
        inner = node.args[0]  # f(a + b) where f(a) + b is meant
        yield ast.BinOp(changed(node, args=[inner.left]), inner.op, inner.right)
        yield ast.BinOp(inner.left, inner.op, changed(node, args=[inner.right]))


def exchanged(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and len(node.args) > 1 and not around.is_called:
        for i in range(len(node.args) - 1):
            swapped = [*node.args[:i], node.args[i + 1], node.args[i], *node.args[i + 2 :]]
            yield changed(node, args=swapped)
    if isinstance(node, ast.Call) and name_of(node) == "Sequential":
        for i in range(len(node.args)):
            for j in range(i + 2, len(node.args)):
                args = list(node.args)
                args.insert(j, args.pop(i))
                yield changed(node, args=args)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Mult):
        yield changed(node, left=node.right, right=node.left)
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield changed(node, elts=node.elts[::-1])
        if len(node.elts) > 2:
            yield from (changed(node, elts=moved) for moved in moves_in(node.elts))
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Call):
        inner = node.args[0]
        if len(inner.args) == 1:  # f(g(x)) where g(f(x)) is meant
            yield changed(inner, args=[changed(node, args=inner.args)])


def moves_in(parts: list[ast.AST]) -> Iterator[list[ast.AST]]:
    """Each part moved to each other place."""
    for i, part in enumerate(parts):
        others = [*parts[:i], *parts[i + 1 :]]
        yield from ([*others[:j], part, *others[j:]] for j in range(len(parts)) if j != i)


def overwritten(node: ast.AST, around: Around) -> Iterator[Elsewhere]:
    """One use of an argument that was given another value before means the argument as it was passed."""
    if not isinstance(node, ast.FunctionDef):
        return
    for name in Function(node).arguments:
        stores = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and is_stored(n)]
        if not stores:
            continue
        uses = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and not is_stored(n)]
        for i in range(len(uses)):
            new = copy.deepcopy(node)
            new_uses = [n for n in ast.walk(new) if isinstance(n, ast.Name) and n.id == name and not is_stored(n)]
            new_uses[i].id = "_as_passed"
            keep = ast.Assign([ast.Name("_as_passed", ast.Store())], ast.Name(name, ast.Load()), lineno=node.lineno)
            yield Elsewhere([changed(new, body=[keep, *new.body])], stores[0])


def step_of_elsewhere(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    """What another line does to this value first."""
    if not isinstance(node, ast.Name) or is_stored(node) or node.id not in around.variables or around.is_called:
        return
    steps = around.whole.steps.get(node.id, {}).values()
    yield from (step for step in steps if node not in (getattr(step, "left", None), *getattr(step, "args", ())))


def turned(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name | ast.Call) and not is_target(node) and not around.is_called and around.path:
        if not around.shape_is_read:
            yield ast.Attribute(node, "mT", ast.Load())


def is_target(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and is_stored(node)


def other_variable(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name) and not is_stored(node) and node.id in around.variables:
        yield from (changed(node, id=name) for name in around.variables if name != node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        if not is_stored(node):
            yield from (changed(node, attr=name) for name in around.attributes if name not in (node.attr, "__init__"))
    if isinstance(node, ast.Subscript) and integer(node.slice) is not None:
        yield from (changed(node, slice=number(new)) for new in (0, 1, 2, -1) if new != integer(node.slice))


def other_number(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    value = integer(node)
    if value is not None and not isinstance(node, ast.UnaryOp):
        yield from (number(new) for new in (value + 1, value - 1, 2 * value, value // 2) if new not in (value, -1))
    if isinstance(node, ast.Call) and name_of(node) in ONE_ARGUMENT:
        inside = node.func.value if is_method(node) else node.args[0] if node.args else None
        for kind in (ast.Mult, ast.Div) if inside else ():
            scaled = ast.BinOp(inside, kind(), number(2))
            yield (
                changed(node, func=changed(node.func, value=scaled))
                if is_method(node)
                else changed(node, args=[scaled, *node.args[1:]])
            )


def missing_function(node: ast.AST, around: Around) -> Iterator[ast.AST]:
    if (
        isinstance(node, ast.Call | ast.BinOp | ast.Name)
        and not is_target(node)
        and not around.is_called
        and around.path
    ):
        if around.path[-1][0] in ("value", "args", "left", "right"):
            for name in ACTIVATIONS[:4]:
                yield ast.Call(loaded(f"__import__('torch').{name}"), [node], [])
            for dim in (1, -1):
                yield ast.Call(loaded("__import__('torch').softmax"), [node, number(dim)], [])


class Kind(NamedTuple):
    """From a node, and what is around it, to the nodes that may stand there instead; how that is told, and asked about."""

    changed: Callable[[ast.AST, Around], Iterator[Any]]
    name: str
    question: str


KINDS = {
    "super": Kind(
        missing_super,
        "super().__init__() is missing, or not called",
        "What must the first line of __init__ do?",
    ),
    "misspelt": Kind(
        misspelt,
        "a name is misspelt",
        "How is it written where it is defined, or in the statement?",
    ),
    "self": Kind(
        missing_self,
        "self is missing",
        "How does a method reach its module, and what is its first argument?",
    ),
    "return": Kind(
        missing_return,
        "a result is computed, but not returned",
        "Which line gives it back?",
    ),
    "dropped": Kind(
        dropped_result,
        "the result of this line is thrown away",
        "Does the method change its tensor, or give back a new one?",
    ),
    "not-built": Kind(
        class_not_built,
        "a layer's class stands where the layer is meant",
        "A layer is built once and called later. Where do its own brackets stand?",
    ),
    "maximum": Kind(
        tuple_of_maximum,
        "max along an axis gives two things: values and places",
        "Which of the two do you need?",
    ),
    "not-passed": Kind(
        not_passed_on,
        "an argument does not reach this place",
        "Which of the function's arguments should decide here?",
    ),
    "as-in-sibling": Kind(
        as_in_sibling,
        "another call of the same function has other arguments",
        "Compare the two lines. What should both be given?",
    ),
    "overwritten-argument": Kind(
        overwritten,
        "an argument gets another value here, and is needed as it was",
        "Which later line still needs what was passed? Give the new value a name of its own.",
    ),
    "axis": Kind(
        axis,
        "another axis is meant",
        "Write the shape of every tensor in this line. Along which axis should it go?",
    ),
    "function": Kind(
        other_function,
        "another function is meant",
        "What does the equation have here?",
    ),
    "exchanged": Kind(
        exchanged,
        "two things stand in the wrong order",
        "Read this line aloud, then the statement. What comes first?",
    ),
    "too-much": Kind(
        too_much,
        "a step too many",
        "What would be lost without it? Is it in the equation?",
    ),
    "brackets": Kind(
        brackets,
        "brackets are missing, or stand elsewhere",
        "What does Python compute first in this line?",
    ),
    "operator": Kind(
        operator,
        "another operation is meant",
        "Which sign stands here in the equation?",
    ),
    "kept-axis": Kind(
        kept_axis,
        "an axis of size 1 is lost or too many",
        "Write the shapes, last axis under last axis. Do they line up?",
    ),
    "variable": Kind(
        other_variable,
        "another variable is meant",
        "Which tensor should this step take: one before or one behind another step?",
    ),
    "turned": Kind(
        turned,
        "the last two axes should be exchanged",
        "Which of them is a row, which a column? Write the shapes.",
    ),
    "step-of-elsewhere": Kind(
        step_of_elsewhere,
        "a step is missing here that another line takes with the same value",
        "Where does this value appear again? Compare what is done to it.",
    ),
    "without-argument": Kind(
        without_argument,
        "an argument should act on this value too",
        "Which lines use the argument? Compare what the equation does with it.",
    ),
    "number-for-size": Kind(
        fixed_size,
        "a fixed number stands where a size of the input is meant",
        "Of which input is this number the size? What would it be for another one?",
    ),
    "number": Kind(
        other_number,
        "another number is meant",
        "Where does this number come from?",
    ),
    "missing": Kind(
        missing_function,
        "a function of the equation is missing here",
        "What should happen to this value before it is used?",
    ),
}
"""The kinds of change, the likeliest first."""
