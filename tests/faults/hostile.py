"""Every regular expression of the project, and texts made from each that try to send it astray."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from utils.files import PROJECT_ROOT

try:  # Python 3.11 and later
    from re import _compiler as compiler
    from re import _constants as codes
    from re import _parser as parser
except ImportError:
    import sre_compile as compiler
    import sre_constants as codes
    import sre_parse as parser

FOLDERS = ("bins", "config", "models", "preprocessors", "processors", "utils")
# Characters for which patterns may have a use; those of the pattern itself come on top.
_CHARACTERS = "aZx1 \n.,-–/'\"(){}<>:$€é_中\x00"
_SINGLE = (codes.IN, codes.ANY, codes.LITERAL, codes.NOT_LITERAL)
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, getattr(codes, "POSSESSIVE_REPEAT", None))
# Functions of `re` that take a pattern, and the place of the flags among their arguments.
_FLAGS_AT = {
    "compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2, "split": 3, "sub": 4, "subn": 4,
}  # fmt: skip
_LONG = 8  # a piece that may stand this often, or more, can be the cause of trouble


@dataclass(frozen=True)
class Found:
    """A pattern, where it stands, and whether the project only ever tries it at one place of a text."""

    place: str
    regex: re.Pattern[str]
    anchored: bool

    def apply(self, text: str) -> None:
        """Use the pattern on a text in the dearest way in which the project does."""
        if self.anchored:
            self.regex.fullmatch(text)
        else:
            for _ in self.regex.finditer(text):
                pass


def modules() -> list[str]:
    """Names of the project's modules that use regular expressions."""
    files = [file for folder in FOLDERS for file in sorted((PROJECT_ROOT / folder).rglob("*.py"))]
    using = [file for file in files if "import re\n" in file.read_text(encoding="utf-8")]
    return [".".join(file.relative_to(PROJECT_ROOT).with_suffix("").parts) for file in using]


def patterns(name: str) -> Iterator[Found]:
    """The patterns of a module; LookupError for one that is neither written in a call of `re` nor a constant."""
    module = importlib.import_module(name)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        call = node.func if isinstance(node, ast.Call) else None
        if not (isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "re"):
            continue
        assert isinstance(node, ast.Call)
        if call.attr not in _FLAGS_AT:
            continue
        at = _FLAGS_AT[call.attr]
        given = [*node.args[at : at + 1], *(keyword.value for keyword in node.keywords if keyword.arg == "flags")]
        flags = _value(given[0], module) if given else 0
        uses = {call.attr} if call.attr != "compile" else _uses(source, node.lineno)
        for text in _texts(node.args[0], module):
            if not isinstance(text, re.Pattern):  # which stands elsewhere
                yield Found(f"{name}:{node.lineno}", re.compile(text, flags), uses <= {"match", "fullmatch"})


def _uses(source: str, line: int) -> set[str]:
    """Methods of the pattern that is compiled in a line of its module, and "" if it is handed on as an object."""
    name = re.match(r"(\w+) = ", source.splitlines()[line - 1])
    return set(re.findall(rf"\b{name[1]}\b(?! =)\.?(\w*)", source)) if name else {""}


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))


def _texts(node: ast.expr, module: ModuleType) -> list[Any]:
    try:
        return [_value(node, module)]
    except NameError:
        # A loop over the module's tables of rules.
        tables = [value for name, value in vars(module).items() if name.endswith("_RULES")]
        if not tables:
            raise LookupError(f"{module.__name__}:{node.lineno}: make this pattern a constant, to be tested") from None
        return [rule if isinstance(rule, str) else rule[0] for table in tables for rule in table]


@dataclass(frozen=True)
class Hostile:
    """A text of any length: some of its parts stand n times."""

    before: str
    units: tuple[str, ...]
    after: str

    def text(self, n: int) -> str:
        """With each unit `n` times."""
        return self.before + "".join(unit * n for unit in self.units) + self.after


def hostile(regex: re.Pattern[str]) -> list[Hostile]:
    """Texts in which each piece that may stand often does, or two of them, and then something that is no match."""
    tree = parser.parse(regex.pattern, regex.flags & ~re.UNICODE)
    letters = _letters(tree)
    endings = ("", "\x00", " !", _sample(tree, letters))
    pieces = [*_repeats(tree, letters, ""), ("", tree)]
    variants = [[unit for unit in dict.fromkeys(_variants(body, letters)) if unit] for _, body in pieces]
    cases = [(before, (unit,)) for (before, _), units in zip(pieces, variants) for unit in units]
    for (before, _), units, following in zip(pieces, variants, variants[1:]):
        cases += [(before, (first, second)) for first in units[:4] for second in following[:4] if first != second]
    return list(dict.fromkeys(Hostile(before, units, after) for before, units in cases for after in endings))


def _letters(tree: Any) -> list[str]:
    """One character for each way in which a pattern's classes tell characters apart, what most of them take first."""
    nodes, own = list(_nodes(tree)), set()
    for operation, argument in nodes:
        # Of a class: the characters, and where its ranges begin.
        for kind, value in argument if operation is codes.IN else [(operation, argument)]:
            if kind in (codes.LITERAL, codes.RANGE):
                own.add(chr(value if kind is codes.LITERAL else value[0]))
    classes = [_single(tree, node) for node in nodes if node[0] is codes.IN]
    kinds: dict[tuple[bool, ...], str] = {}
    for character in (*_CHARACTERS, *sorted(own)):
        kinds.setdefault(tuple(bool(one.match(character)) for one in classes), character)
    return [kinds[kind] for kind in sorted(kinds, key=lambda kind: -sum(kind))]


def _single(tree: Any, node: tuple[Any, Any]) -> re.Pattern[str]:
    """A pattern of one node of a tree."""
    return compiler.compile(parser.SubPattern(tree.state, [node]))


def _children(operation: Any, argument: Any) -> list[Any]:
    """Sequences inside a node."""
    if operation in _REPEATS:
        return [argument[2]]
    if operation is codes.SUBPATTERN:
        return [argument[3]]
    if operation is codes.BRANCH:
        return argument[1]
    if operation in (codes.ASSERT, codes.ASSERT_NOT):
        return [argument[1]]
    if operation is codes.GROUPREF_EXISTS:
        return [branch for branch in argument[1:] if branch is not None]
    return [argument] if operation is getattr(codes, "ATOMIC_GROUP", None) else []


def _nodes(sequence: Any) -> Iterator[tuple[Any, Any]]:
    for operation, argument in sequence:
        yield operation, argument
        for child in _children(operation, argument):
            yield from _nodes(child)


def _repeats(sequence: Any, letters: list[str], before: str) -> Iterator[tuple[str, Any]]:
    """What stands before each piece that may stand often, and the piece."""
    for index, (operation, argument) in enumerate(sequence):
        here = before + _sample(sequence[:index], letters)
        if operation in _REPEATS and argument[1] >= _LONG:
            yield here, argument[2]
        for child in _children(operation, argument):
            yield from _repeats(child, letters, here)


def _variants(body: Any, letters: list[str]) -> Iterator[str]:
    """Texts that a piece takes: by each branch, inner repeats as short as may be or longer, of several letters."""
    for choice in range(4):
        for extra in (0, 1):
            for letter in range(min(4, len(letters))):
                yield _sample(body, letters[letter:] + letters[:letter], choice, extra)


def _sample(sequence: Any, letters: list[str], choice: int = 0, extra: int = 0) -> str:
    """A text that a sequence takes (as far as it doesn't look around)."""
    text = ""
    for operation, argument in sequence:
        if operation is codes.LITERAL:
            text += chr(argument)
        elif operation in _SINGLE:
            one = _single(sequence, (operation, argument))
            text += next((character for character in (*letters, *_CHARACTERS) if one.match(character)), "")
        elif operation in _REPEATS:
            low, high, inner = argument
            text += _sample(inner, letters, choice, extra) * min(low + extra, high)
        elif operation is codes.BRANCH:
            branches = argument[1]
            text += _sample(branches[choice % len(branches)], letters, choice, extra)
        elif operation is not codes.ASSERT_NOT:
            text += "".join(_sample(child, letters, choice, extra) for child in _children(operation, argument)[:1])
    return text
