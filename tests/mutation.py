"""Mutation testing of what says yes or no: python -m tests.mutation [--sample N] [--module releases.gate.v1]

Each mutant is the module with one thing changed (a comparison, a condition, a number, an exit), tried against the
gate's own tests in a fork that loads the changed module instead of the file. A mutant that no test notices survives:
either a test is missing, or the line says nothing. Ends with 1 where fewer than 95 % are killed, or where a comparison
survives.

Mutants that change no behaviour are named in EQUIVALENT, with the reason why no test could tell.
"""

import argparse
import ast
import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("releases.gate.v1", "releases.gate.rules_v1", "releases.gate.clearance", "releases.gate")
TESTS = ("test_clearance.py", "test_golden.py", "test_fail_open.py", "test_gate.py")
# Properties over made-up facts take longer than all the rest: asked only about what the rest lets live.
PROPERTIES = "taking_facts_away or brute_force"
TIMEOUT_SECONDS = 60
KILL_RATE = 0.95

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
}
CALLS = {"any": "all", "all": "any", "max": "min", "min": "max"}

# (module, how the line begins): why no test could tell the mutant from the original.
EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "releases.gate.v1",
        "asked = [(item, found) for item, found in zip(facts.items, items, strict=True)",
    ): "strict: both are made from the same items, so they are of one length",
    ("releases.gate", "CURRENT = max(VERSIONS)"): "there is one version; with a second the golden vectors tell",
}


@dataclass(frozen=True)
class Mutant:
    module: str
    line: int
    kind: str
    what: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.kind}: {self.what}"


def mutants(module: str) -> Iterator[Mutant]:
    source = source_of(module)
    tree = ast.parse(source.read_text())
    spots = [node for node in ast.walk(tree) if not isinstance(node, ast.expr_context)]
    words = _annotations(tree)
    for number, node in enumerate(spots):
        if node in words:
            continue
        for kind, what, change in _changes(node):
            copy = deepcopy(tree)
            twin = [other for other in ast.walk(copy) if not isinstance(other, ast.expr_context)][number]
            change(twin)
            yield Mutant(module, getattr(node, "lineno", 0), kind, what, ast.fix_missing_locations(copy))


def source_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _annotations(tree: ast.Module) -> set[ast.AST]:
    """Everything that is a type or text for people: changing it changes no answer."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        notes = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Assign) and ast.unparse(node).startswith(("Rule = ", "Gate = ")):
            notes.append(node)
        if isinstance(node, ast.JoinedStr):
            notes.append(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "dataclass":
            notes.append(node)
        for note in filter(None, notes):
            found.update(ast.walk(note))
    return found


Change = tuple[str, str, Callable[[ast.AST], None]]


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in SWAPS.get(type(op), ()):
                    yield "comparison", f"{ast.unparse(node)} -> {other.__name__}", _op(place, other)
        case ast.BoolOp(op=op) | ast.BinOp(op=op):
            for other in SWAPS.get(type(op), ()):
                yield "operator", f"{ast.unparse(node)} -> {other.__name__}", _set("op", other)
        case ast.UnaryOp(op=ast.Not()):
            yield "not", f"{ast.unparse(node)} -> without not", _unnot
        case ast.Constant(value=bool() as value):
            yield "constant", f"{value} -> {not value}", _value(not value)
        case ast.Constant(value=int() as value):
            yield "constant", f"{value} -> {value + 1}", _value(value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield "call", f"{ast.unparse(node)} -> {CALLS[name]}", _call(CALLS[name])
        case ast.If(orelse=[]) if isinstance(node.body[-1], ast.Return | ast.Raise | ast.Expr | ast.Continue):
            yield "statement", f"if {ast.unparse(node.test)} -> never", _never


def _op(place: int, other: type) -> Callable[[ast.AST], None]:
    return lambda node: node.ops.__setitem__(place, other())  # type: ignore[attr-defined]


def _set(name: str, other: type) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, name, other())


def _value(value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, "value", value)


def _call(name: str) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node.func, "id", name)  # type: ignore[attr-defined]


def _unnot(node: ast.AST) -> None:
    node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)  # type: ignore[attr-defined]


def _never(node: ast.AST) -> None:
    node.test = ast.Constant(False)  # type: ignore[attr-defined]


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out the mutant where its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant, self.path = mutant, source_of(mutant.module)

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.mutant.module:
            return None
        package = self.path.name == "__init__.py"
        spec = importlib.util.spec_from_loader(fullname, self, origin=str(self.path), is_package=package)
        if spec and package:
            spec.submodule_search_locations = [str(self.path.parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.tree, str(self.path), "exec"), module.__dict__)


def killed(mutant: Mutant | None) -> bool:
    """Whether the tests fail with this mutant, in a fork: an endless loop counts as noticed."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, TIMEOUT_SECONDS)  # of its own work: a busy machine kills no mutant
        with contextlib.suppress(BaseException):
            os._exit(_tests(mutant))
        os._exit(3)
    _, status = os.waitpid(child, 0)
    return status != 0


def _tests(mutant: Mutant | None) -> int:
    if mutant:
        sys.meta_path.insert(0, Changed(mutant))
    plain = ["-q", "-x", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull, "--import-mode=importlib"]
    paths = [str(ROOT / "tests" / "releases" / name) for name in TESTS]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        for chosen in (f"not ({PROPERTIES})", PROPERTIES):
            code = int(pytest.main([*plain, "--rootdir", str(ROOT), "-k", chosen, *paths]))
            if code:
                break
    if mutant is None and code:
        os.write(2, out.getvalue().encode())
    return code


def survivors(chosen: list[Mutant], report: Callable[[str], None] = lambda line: None) -> list[Mutant]:
    found = []
    for number, mutant in enumerate(chosen, start=1):
        if not killed(mutant):
            found.append(mutant)
            report(f"{number}/{len(chosen)} SURVIVED {mutant}")
        if number % 50 == 0:
            report(f"{number}/{len(chosen)} tried")
    return found


def chosen_mutants(modules: tuple[str, ...], sample: int | None) -> list[Mutant]:
    every = [mutant for module in modules for mutant in mutants(module) if not _is_equivalent(mutant)]
    return random.Random(13).sample(every, min(sample, len(every))) if sample else every


def _is_equivalent(mutant: Mutant) -> bool:
    line = source_of(mutant.module).read_text().splitlines()[mutant.line - 1].strip() if mutant.line else ""
    return any(mutant.module == module and line.startswith(begin) for module, begin in EQUIVALENT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--sample", type=int, help="only so many, chosen by a fixed seed")
    parser.add_argument("--module", action="append", choices=MODULES)
    options = parser.parse_args()
    prepare()
    if killed(None):
        print("The tests fail without any mutant.")
        return 2
    chosen = chosen_mutants(tuple(options.module or MODULES), options.sample)
    left = survivors(chosen, functools.partial(print, flush=True))
    rate = 1 - len(left) / len(chosen)
    print(f"{len(chosen)} mutants, {len(left)} survived: {rate:.1%} killed")
    return int(rate < KILL_RATE or any(mutant.kind == "comparison" for mutant in left))


def prepare() -> None:
    """What every fork needs is loaded once; of ours nothing."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("hypothesis", "hypothesis.strategies", "msgspec", "yaml", "rfc8785", "uuid", "decimal"):
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith(("releases", "systems", "audit"))]
    assert not ours, f"already loaded, so no mutant would be: {ours}"


if __name__ == "__main__":
    sys.exit(main())
