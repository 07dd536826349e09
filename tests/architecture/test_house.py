"""The rules of the house that a machine can check: sizes, names, templates, settings, and nothing of one workplace."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent.name for path in CHECKOUT.glob("*/__init__.py"))
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_TEMPLATE = 400, 60, 150


def modules(*, tests: bool = True) -> Iterator[Path]:
    for package in PACKAGES:
        if package != "tests" or tests:
            for path in sorted((CHECKOUT / package).rglob("*.py")):
                if "migrations" not in path.parts:
                    yield path


def short(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def test_modules_hold_one_idea() -> None:
    sizes = {short(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_functions_fit_on_a_screen() -> None:
    long = {}
    for path in modules(tests=False):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION:
                    long[f"{short(path)}:{node.name}"] = lines
    assert long == {}


def test_nothing_is_called_after_what_it_is_not() -> None:
    empty_names = {"utils", "util", "helpers", "helper", "common", "core", "misc", "shared_utils"}
    assert [short(path) for path in modules() if path.stem in empty_names or path.parent.name in empty_names] == []


TEMPLATES = sorted((CHECKOUT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_templates_are_small_and_carry_no_code(path: Path) -> None:
    """The content security policy would refuse inline code anyway; here it is found before a browser does."""
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.DOTALL)
    assert len(text.splitlines()) <= LONGEST_TEMPLATE
    scripts = re.findall(r"<script\b[^>]*>", text)
    assert [tag for tag in scripts if " src=" not in tag and "application/json" not in tag] == []
    assert re.findall(r"{[{%][^%}\n]*$", text, flags=re.MULTILINE) == [], "Django shows a tag over two lines as text"
    assert re.findall(r"<style\b|\sstyle=|\son[a-z]+=[\"']|javascript:|hx-on", text) == []
    assert "|safe" not in text.replace("help_text|safe", ""), "mark safe in Python, where it can be justified"


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    pattern = re.compile(r"""(?:env\.(?:text|boolean|number|listing|mailer|named)|os\.environ\.get)\(\s*"([A-Z_]+)\"""")
    read = {name for path in modules(tests=False) for name in pattern.findall(path.read_text())}
    read |= set(re.findall(r"\$\{(READINESS_[A-Z_]+):?-", (CHECKOUT / "bin" / "entrypoint").read_text()))
    read -= {"PATH", "HOME", "DJANGO_SETTINGS_MODULE"}
    documented = set(
        re.findall(r"^\| `([A-Z_]+)`", (CHECKOUT / "docs/reference/settings.md").read_text(), re.MULTILINE)
    )
    assert read - documented == set(), "docs/reference/settings.md does not list these"
    assert documented - read == set(), "docs/reference/settings.md lists these, and nothing reads them"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{short(document)} -> {target}")
    assert broken == []


def test_lock_files_carry_hashes_and_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-uv.txt"):
        text = (CHECKOUT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        pinned = re.findall(r"^[a-zA-Z0-9._-]+(?:\[[^\]]*\])?==", text, re.MULTILINE)
        assert pinned
        entries = re.split(r"\n(?=\S)", text.strip())
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_shell_scripts_are_portable() -> None:
    scripts = [path for path in [*(CHECKOUT / "bin").iterdir(), *(CHECKOUT / ".ci").iterdir()] if path.is_file()]
    assert len(scripts) >= 7
    for script in scripts:
        assert script.read_text().startswith("#!/bin/sh\n"), script
        assert subprocess.run(["sh", "-n", script]).returncode == 0, script
        assert script.name == "steps" or script.stat().st_mode & 0o111, f"{script} cannot be run"
