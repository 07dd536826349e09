"""YAML without its surprises: text, whole numbers, true/false, null, lists and mappings. Pure.

No aliases (a page of them unfolds to gigabytes), no tags, no key given twice; and each value's line is kept, so that a
refusal can point at it.
"""

from typing import Any

import yaml

_PLAIN = "tag:yaml.org,2002:"


class YamlError(ValueError):
    pass


class Lines:
    """Line of each place in what was read: `("items", 3, "phase")`."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str | int, ...], int] = {}

    def note(self, where: tuple[str | int, ...], line: int) -> None:
        self._lines[where] = line

    def at(self, where: tuple[str | int, ...]) -> int:
        """The line of the place, or of the nearest thing around it where the place itself is missing."""
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines.get(where, 1)


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1
            raise YamlError(f"Line {line}: aliases are not read here. Write the value out.")
        return super().compose_node(parent, index)


def read_yaml(text: str) -> tuple[Any, Lines]:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"Line {mark.line + 1 if mark else 1}: this is not YAML: {error.problem}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise YamlError(f"Line 1: this is not YAML: {type(error).__name__}.") from None
    if root is None:
        raise YamlError("Line 1: there is nothing in it.")
    lines = Lines()
    return _value(root, (), lines), lines


def _value(node: yaml.Node, where: tuple[str | int, ...], lines: Lines) -> Any:
    line = node.start_mark.line + 1
    lines.note(where, line)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if key_node.tag == _PLAIN + "str" else None
            if not isinstance(key, str):
                raise YamlError(f"Line {key_node.start_mark.line + 1}: a field's name is a word.")
            if key in result:
                raise YamlError(f"Line {key_node.start_mark.line + 1}: {key} is given twice.")
            result[key] = _value(value_node, (*where, key), lines)
            lines.note((*where, key), key_node.start_mark.line + 1)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*where, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node, line)


def _scalar(node: yaml.Node, line: int) -> Any:
    match node.tag.removeprefix(_PLAIN):
        case "str":
            return node.value
        case "null":
            return None
        case "bool":
            return node.value.lower() in ("true", "yes", "on")
        case "int":
            try:
                return int(node.value)
            except ValueError:
                raise YamlError(f"Line {line}: write {node.value} as a plain whole number.") from None
        case "float" | "timestamp":
            raise YamlError(f'Line {line}: put {node.value} in quotes: "{node.value}".')
    raise YamlError(f"Line {line}: the tag {node.tag} is not read here.")
