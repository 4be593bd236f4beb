"""How long are the files and functions of a Rust source tree? Prints the distribution, and the longest of each.

Lexical: comments and literals are blanked, a function runs from its `fn` to its closing brace. Test code is left
out: `tests.rs`, folders called `tests`, and whatever stands under `#[cfg(test)]`.
"""

import pathlib
import re
import sys

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60

LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\b[bc]?r(#*)".*?"\1|(?:\b[bc])?"(?:\\.|[^"\\])*"|(?:\bb)?'(?:\\.[^']*|[^'\\])'""", re.DOTALL
)
FUNCTION = re.compile(r"\bfn\s+(\w+)")


def blanked(source: str) -> str:
    """The source with comments and literals turned into blanks; line breaks stay."""
    return LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def body_end(code: str, start: int) -> int | None:
    """Behind the closing brace of the item at `start`; None when it ends without a body."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] == ";" and depth == 0:
            return None
        if code[at] in "{[(":
            depth += 1
        elif code[at] in "}])":
            depth -= 1
            if depth == 0 and code[at] == "}":
                return at + 1
    return None


def without_tests(code: str) -> str:
    """The code with each item under `#[cfg(test)]` taken out."""
    while (at := code.find("#[cfg(test)]")) >= 0:
        item = at + len("#[cfg(test)]")
        end = body_end(code, item) or code.find(";", item) + 1 or len(code)
        code = code[:at] + code[end:]
    return code


def functions(code: str) -> list[tuple[str, int]]:
    """Every function with a body: its name and how many lines it takes."""
    found = []
    for match in FUNCTION.finditer(code):
        end = body_end(code, match.end())
        if end is not None:
            found.append((match.group(1), code.count("\n", match.start(), end) + 1))
    return found


def distribution(name: str, rows: list[tuple[int, str]], most: int) -> None:
    """Prints one line of figures and the longest five."""
    lengths = sorted(length for length, _ in rows)
    at = lambda part: lengths[min(len(lengths) - 1, int(len(lengths) * part))]  # noqa: E731
    over = sum(length > most for length in lengths)
    print(f"{name}: {len(lengths)}, median {at(0.5)}, p90 {at(0.9)}, longest {lengths[-1]}, over {most}: {over}")
    for length, where in sorted(rows, reverse=True)[:5]:
        print(f"    {length:5}  {where}")


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")
    paths = [path for path in sorted(root.rglob("*.rs")) if "tests" not in path.with_suffix("").parts]
    if not paths:
        print(f"no Rust files under {root}", file=sys.stderr)
        return 1
    files, bodies = [], []
    for path in paths:
        source = path.read_text(encoding="utf-8")
        code = without_tests(blanked(source))
        files.append((source.count("\n"), str(path)))
        bodies += [(length, f"{path}: {name}") for name, length in functions(code)]
    distribution("files", files, MOST_FILE_LINES)
    if bodies:
        distribution("functions", bodies, MOST_FUNCTION_LINES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
