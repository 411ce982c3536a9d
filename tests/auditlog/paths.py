"""Every way through the code that writes: whether a record is made on it.

The source is read, not run. A function is followed through its branches and into the functions that it calls by name; each way
that returns is either quiet, or writes, or records, or both. Ways that raise are none: their transaction is rolled back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("port444", "consultations", "auditlog", "support", "amendments")
RECORDS = {("auditlog.actions.recording", "record"), ("auditlog.actions.recording", "record_many")}
ALWAYS_WRITES = {"bulk_create", "bulk_update", "get_or_create", "update_or_create", "move_to", "create_user", "select_and_update"}
SQL_WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w|DELETE FROM)\b")

Name = tuple[str, str]  # module, function or Class.method


@dataclass(frozen=True)
class Way:
    """One way through a piece of code, as far as it matters here."""

    writes: bool = False
    records: bool = False

    def then(self, other: Way) -> Way:
        return Way(self.writes or other.writes, self.records or other.records)


Ways = frozenset[Way]
QUIET: Ways = frozenset({Way()})
WRITES: Ways = frozenset({Way(writes=True)})
MADE: Ways = frozenset({Way(records=True)})
NONE: Ways = frozenset()


def then(first: Ways, second: Ways) -> Ways:
    return frozenset(a.then(b) for a in first for b in second)


@dataclass
class Block:
    """What came of some statements: ways that go on, that leave the function, and that leave the loop."""

    on: Ways = QUIET
    out: Ways = NONE
    broken: Ways = NONE

    def follow(self, block: Block) -> None:
        self.out |= then(self.on, block.out)
        self.broken |= then(self.on, block.broken)
        self.on = then(self.on, block.on)


@dataclass
class Unit:
    """Statements that are committed together: the body of an action, or a block in one."""

    name: Name
    line: int
    body: list[ast.stmt]


class Source:
    """The functions of the project and who calls whom."""

    def __init__(self, home: Path, skip: Iterable[str] = ("migrations", "demo", "management")) -> None:
        self.trees: dict[str, ast.Module] = {}
        self.packages: set[str] = set()
        for package in PACKAGES:
            for path in sorted((home / package).rglob("*.py")):
                if not set(skip) & set(path.relative_to(home).parts):
                    parts = list(path.relative_to(home).with_suffix("").parts)
                    if parts[-1] == "__init__":
                        parts.pop()
                        self.packages.add(".".join(parts))
                    self.trees[".".join(parts)] = ast.parse(path.read_text())
        self.imports = {module: dict(self._imported(module)) for module in self.trees}
        self.functions = {(module, name): node for module, tree in self.trees.items() for name, node in functions(tree)}
        self._known: dict[Name, Ways] = {}
        self._open: set[Name] = set()

    def _imported(self, module: str) -> Iterator[tuple[str, Name]]:
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = module.split(".") if module in self.packages else module.split(".")[:-1]
                    base = ".".join([*above[: len(above) - node.level + 1], *([node.module] if node.module else [])])
                yield from ((alias.asname or alias.name, (base, alias.name)) for alias in node.names)

    @cached_property
    def methods(self) -> dict[str, list[Name]]:
        """Methods of models, querysets and managers, which are called on what no name leads to."""
        found: dict[str, list[Name]] = {}
        for module, name in self.functions:
            if "." in name and (".models" in module or module.endswith("kit.states")):
                found.setdefault(name.split(".")[1], []).append((module, name))
        return found

    def resolve(self, module: str, name: str) -> Name | None:
        """The function that `name` means in `module`; for a module, its name and an empty one."""
        for _ in range(8):
            if (module, name) in self.functions or (module, name) in RECORDS:
                return module, name
            if name not in self.imports.get(module, {}):
                return None
            module, name = self.imports[module][name]
            if f"{module}.{name}" in self.trees:
                return f"{module}.{name}", ""
        return None

    def callee(self, inside: Name, function: ast.expr) -> Name | None:
        module, name = inside
        if isinstance(function, ast.Name):
            return self.resolve(module, function.id)
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if function.value.id in ("self", "cls") and "." in name:
                method = (module, f"{name.split('.')[0]}.{function.attr}")
                return method if method in self.functions else None
            found = self.resolve(module, function.value.id)
            if found is not None and not found[1]:
                return self.resolve(found[0], function.attr)
        return None

    def ways(self, name: Name) -> Ways:
        """The ways through a function. One that calls itself is taken to be quiet there."""
        if name in RECORDS:
            return MADE
        if name in self._open:
            return QUIET
        if name not in self._known:
            self._open.add(name)
            block = self.through(self.functions[name].body, name)
            self._open.discard(name)
            if self._open:
                return block.on | block.out  # seen from inside a circle, it may be short of something
            self._known[name] = block.on | block.out
        return self._known[name]

    def units(self) -> Iterator[Unit]:
        """What is committed together: functions and blocks with a transaction of their own, and what writes without one and is called
        by none of them by name."""
        inside: set[Name] = set()
        for name, node in self.functions.items():
            if any(is_atomic(decorator) for decorator in node.decorator_list):
                yield Unit(name, node.lineno, node.body)
                inside |= self.called([node], name)
            for block in ast.walk(node):
                if isinstance(block, ast.With) and any(is_atomic(item.context_expr) for item in block.items):
                    yield Unit(name, block.lineno, block.body)
                    inside |= self.called(block.body, name)
        for name, node in self.functions.items():
            alone = name not in inside and not any(is_atomic(decorator) for decorator in node.decorator_list)
            if alone and any(self.direct(call, name) for call in ast.walk(node) if isinstance(call, ast.Call) and not within_atomic(node, call)):
                yield Unit(name, node.lineno, [each for each in node.body if not holds_atomic(each)])

    def called(self, nodes: Iterable[ast.AST], inside: Name) -> set[Name]:
        found: set[Name] = set()
        waiting = [(node, inside) for node in nodes]
        while waiting:
            node, place = waiting.pop()
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    targets = [self.callee(place, call.func), *(self.callee(place, each) for each in arguments(call))]
                    if isinstance(call.func, ast.Attribute):
                        targets += self.methods.get(call.func.attr, [])
                    for target in targets:
                        if target in self.functions and target not in found:
                            found.add(target)
                            waiting.append((self.functions[target], target))
        return found

    def direct(self, call: ast.Call, inside: Name) -> bool:
        """Whether the call itself writes rows."""
        if not isinstance(call.func, ast.Attribute):
            return False
        word, words = call.func.attr, {keyword.arg for keyword in call.keywords}
        if word in ALWAYS_WRITES:
            return True
        if word in ("save", "asave"):
            return not call.args and "format" not in words
        if word == "update":
            return bool(words) and not call.args  # a dictionary's takes another one
        if word == "create":
            return bool(words) and "objects" in ast.unparse(call.func)
        if word == "delete":
            return not call.args and not words and "cache" not in ast.unparse(call.func)
        if word in ("execute", "executemany") and call.args:
            return SQL_WRITES.search(self.text(call.args[0], inside[0])) is not None
        return False

    def text(self, node: ast.expr, module: str) -> str:
        if isinstance(node, ast.Name):
            for statement in self.trees[module].body:
                if isinstance(statement, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.id for t in statement.targets):
                    return ast.unparse(statement.value)
        return ast.unparse(node)

    # Through statements

    def through(self, body: Iterable[ast.stmt], inside: Name) -> Block:
        block = Block()
        for statement in body:
            if not block.on:
                break
            block.follow(self.statement(statement, inside))
        return block

    def statement(self, node: ast.stmt, inside: Name) -> Block:
        match node:
            case ast.Return():
                return Block(NONE, self.said(node.value, inside))
            case ast.Raise():
                return Block(NONE)
            case ast.Break() | ast.Continue():
                return Block(NONE, NONE, QUIET)
            case ast.If():
                block = Block(self.said(node.test, inside))
                block.follow(either(self.through(node.body, inside), self.through(node.orelse, inside)))
                return block
            case ast.For() | ast.While():
                return self.loop(node, inside)
            case ast.With():
                block = Block()
                for item in node.items:
                    block.follow(Block(self.said(item.context_expr, inside)))
                block.follow(self.through(node.body, inside))
                return block
            case ast.Try():
                tried = self.through([*node.body, *node.orelse], inside)
                for handler in node.handlers:
                    # What was tried may have been done or not when it failed.
                    tried = either(tried, self.through(handler.body, inside))
                tried.follow(self.through(node.finalbody, inside))
                return tried
            case ast.Match():
                block = Block(self.said(node.subject, inside))
                cases = [self.through(case.body, inside) for case in node.cases]
                last = node.cases[-1]
                if not (isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None):
                    cases.append(Block())
                chosen = cases[0]
                for other in cases[1:]:
                    chosen = either(chosen, other)
                block.follow(chosen)
                return block
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return Block()
            case _:
                return Block(self.said(node, inside))

    def loop(self, node: ast.For | ast.While, inside: Name) -> Block:
        """A loop that is never gone through writes nothing either, so it is gone through: once, and again."""
        block = Block(self.said(node.iter if isinstance(node, ast.For) else node.test, inside))
        once = self.through(node.body, inside)
        on = once.on | once.broken
        block.follow(Block(on | then(on, on) or QUIET, once.out | then(on, once.out)))
        block.follow(self.through(node.orelse, inside))
        return block

    def said(self, node: ast.AST | None, inside: Name) -> Ways:
        """The ways through an expression."""
        ways = QUIET
        if node is None or isinstance(node, ast.Lambda):
            return ways
        if isinstance(node, ast.IfExp):
            return then(self.said(node.test, inside), self.said(node.body, inside) | self.said(node.orelse, inside))
        if isinstance(node, ast.BoolOp):
            ways = self.said(node.values[0], inside)
            for value in node.values[1:]:
                ways |= then(ways, self.said(value, inside))
            return ways
        for child in ast.iter_child_nodes(node):
            ways = then(ways, self.said(child, inside))
        return then(ways, self.call(node, inside)) if isinstance(node, ast.Call) else ways

    def call(self, node: ast.Call, inside: Name) -> Ways:
        target = self.callee(inside, node.func)
        if target in RECORDS:
            return MADE
        if target in self.functions:
            return self.ways(target)
        if self.direct(node, inside):
            return WRITES
        if isinstance(node.func, ast.Attribute) and target is None and node.func.attr in self.methods:
            return frozenset().union(*(self.ways(method) for method in self.methods[node.func.attr]))
        return QUIET


def either(one: Block, other: Block) -> Block:
    return Block(one.on | other.on, one.out | other.out, one.broken | other.broken)


def arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{member.name}", member


def is_atomic(node: ast.expr) -> bool:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).endswith("atomic")


def holds_atomic(node: ast.stmt) -> bool:
    return any(isinstance(each, ast.With) and any(is_atomic(item.context_expr) for item in each.items) for each in ast.walk(node))


def within_atomic(function: ast.AST, call: ast.Call) -> bool:
    return any(
        isinstance(block, ast.With) and any(is_atomic(item.context_expr) for item in block.items) and any(each is call for each in ast.walk(block))
        for block in ast.walk(function)
    )
