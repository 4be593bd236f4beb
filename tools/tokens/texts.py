"""The texts: which packages they come from, how markup is taken off, who is in which set, where samples are cut.

Nothing is picked by hand. A source is a package and a pattern of paths; its files go by the hash of their path in that
package, which also says whether a file belongs to the fit or to the test.
"""

import base64
import gzip
import hashlib
import html.parser
import pathlib
import random
import re
import sysconfig

LENGTHS = (100, 1_000, 10_000, 100_000)
SAMPLES = {100: 240, 1_000: 160, 10_000: 60, 100_000: 16}  # of a kind in each set
FILE_LIMIT = 48_000  # bytes taken of one file, so that no single one makes up a set
SOURCE_LIMIT = 4_000_000  # bytes read of a source in each set

# Debian's packages, unpacked and not installed; `*` in a path is for the language.
DEBIAN = {
    "English": [
        ("debian-handbook", "**/en-US/*.html"), ("gnome-user-docs", "**/help/C/**/*.page"),
        ("debian-reference-en", "**/*.html"), ("developers-reference", "**/*.html"), ("debian-faq", "**/*.html"),
        ("debian-edu-doc-en", "**/*.html"), ("gimp-help-en", "**/*.html"), ("maint-guide", "**/*.html"), ("fortunes", "**/games/fortunes/*"), ("manpages", "**/man?/*.gz"),
    ],
    "German": [
        ("debian-handbook", "**/de-DE/*.html"), ("gnome-user-docs", "**/help/de/**/*.page"),
        ("debian-reference-de", "**/*.html"), ("developers-reference-de", "**/*.html"), ("debian-faq-de", "**/*.html"),
        ("debian-edu-doc-de", "**/*.html"), ("gimp-help-de", "**/*.html"),
        ("maint-guide-de", "**/*.html"), ("fortunes-de", "**/games/fortunes/de/*"), ("manpages-de", "**/man?/*.gz"),
    ],
    "Chinese": [
        ("debian-handbook", "**/zh-CN/*.html"), ("debian-handbook", "**/zh-TW/*.html"), ("gnome-user-docs", "**/help/zh_CN/**/*.page"),
        ("debian-reference-zh-cn", "**/*.html"), ("debian-faq-zh-cn", "**/*.html"),
        ("debian-edu-doc-zh-cn", "**/*.html"), ("gimp-help-zh-cn", "**/*.html"), ("maint-guide-zh-cn", "**/*.html"),
        ("fortunes-zh", "**/games/fortunes/*"), ("manpages-zh", "**/zh_CN/man?/*.gz"),
    ],
    "Japanese": [
        ("debian-handbook", "**/ja-JP/*.html"), ("gnome-user-docs", "**/help/ja/**/*.page"),
        ("debian-reference-ja", "**/*.html"), ("developers-reference-ja", "**/*.html"), ("debian-faq-ja", "**/*.html"),
        ("debian-edu-doc-ja", "**/*.html"), ("gimp-help-ja", "**/*.html"),
        ("maint-guide-ja", "**/*.html"), ("debian-policy-ja", "**/*.html"), ("manpages-ja", "**/man?/*.gz"),
    ],
    "French": [("debian-handbook", "**/fr-FR/*.html"), ("gnome-user-docs", "**/help/fr/**/*.page")],
    "Russian": [("debian-handbook", "**/ru-RU/*.html"), ("gnome-user-docs", "**/help/ru/**/*.page")],
    "Korean": [("debian-handbook", "**/ko-KR/*.html"), ("gnome-user-docs", "**/help/ko/**/*.page")],
    "Indic": [("gnome-user-docs", f"**/help/{language}/**/*.page") for language in ("mr", "gu", "ta", "te")],
    "JSON": [("iso-codes", "**/*.json")],
}
NPM = {"JSON": ["@octokit/webhooks-examples", "vega-datasets", "mime-db"]}
PYPI = {"JSON": ["botocore"]}

SCRIPTS = {
    "Chinese": re.compile("[\u4e00-\u9fff]"),
    "Japanese": re.compile("[\u3040-\u30ff]"),
    "Russian": re.compile("[\u0400-\u04ff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Indic": re.compile("[\u0900-\u0dff]"),
    "French": re.compile(r"\b(?:les?|des?|la|et|est|pas|vous|une?|pour)\b", re.I),
    "German": re.compile(r"\b(?:der|die|das|und|ist|nicht|werden|mit|eine[rnms]?|für)\b", re.I),
}
ENGLISH = re.compile(r"\b(?:the|of|and|is|to|not|with|an?|for)\b", re.I)


def number(*parts: object) -> int:
    """A number that hangs on nothing but these."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8])


class Prose(html.parser.HTMLParser):
    """Text of a page: scripts and styles left out, a line for each block."""

    SILENT = {"script", "style", "head"}
    INLINE = {"a", "b", "i", "em", "strong", "code", "span", "tt", "kbd", "var", "app", "gui", "guiseq", "link", "key", "sys",
              "cmd", "file", "input", "output", "keyseq", "acronym", "abbr", "cite", "q", "sub", "sup", "small"}

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in self.SILENT
        if tag not in self.INLINE:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.silent = max(0, self.silent - (tag in self.SILENT))
        if tag not in self.INLINE:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(data)


def page(text: str) -> str:
    prose = Prose()
    prose.feed(text)
    lines = (" ".join(line.split()) for line in "".join(prose.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def manual(text: str) -> str:
    """A manual page: requests and font changes taken off, the words that they hold kept."""
    text = re.sub(r"\\f(?:\[[^]]*\]|\(..|.)|\\[&|^/,:%]", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
    lines = []
    for line in text.split("\n"):
        if re.match(r"""[.']\s*(?:\\"|$)""", line):
            continue
        found = re.match(r"\.\s*([A-Za-z]+)\s*(.*)", line)
        if found is None:
            lines.append(line)
        elif found[1] in {"B", "I", "BR", "BI", "IR", "IB", "RB", "RI", "SH", "SS", "SM", "IP", "TP"}:
            lines.append(found[2].replace('"', ""))
    return "\n".join(line for line in lines if line.strip())


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def decoded(path: pathlib.Path) -> str:
    """A file's text without markup; empty where it is no text."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    if path.suffix == ".gz":
        return manual(text)
    return page(text) if path.suffix in {".html", ".page"} else plain(text)


def speaks(kind: str, text: str) -> bool:
    """Whether a text is in its language: manuals have pages that nobody translated."""
    if kind in {"German", "French"}:
        return len(SCRIPTS[kind].findall(text)) > len(ENGLISH.findall(text))
    return kind not in SCRIPTS or len(SCRIPTS[kind].findall(text)) * 6 > len(text)


def stream(kind: str, root: pathlib.Path, pattern: str, test: bool) -> str:
    """All texts of a source in one of the two sets, one behind the other."""
    files = sorted((p for p in root.glob(pattern) if p.is_file()), key=lambda p: number(p.relative_to(root)))
    texts, size = [], 0
    for path in files:
        if (number("set", path.relative_to(root)) % 5 < 2) != test or path.suffix == ".dat":
            continue
        text = decoded(path)
        if len(text) < 200 or not speaks(kind, text):
            continue
        text = text.encode()[:FILE_LIMIT].decode(errors="ignore")
        texts.append(text)
        size += len(text)
        if size > SOURCE_LIMIT:
            break
    return "\n".join(texts)


def cut(data: bytes, at: int, length: int) -> str:
    """`length` bytes from the next line on, or from here where none begins soon; whole characters, and whole words."""
    line = data.find(b"\n", at, at + 300)
    start = line + 1 if line >= 0 else at
    piece = data[start : start + length]
    blank = max(piece.rfind(b" "), piece.rfind(b"\n"))
    if blank > len(piece) - 24 and blank > 0:
        piece = piece[:blank]
    return piece.decode(errors="ignore")


def samples(texts: list[str], length: int, seed: str) -> list[str]:
    """As many samples of each source, at places that the seed says."""
    chosen = []
    blobs = [text.encode() for text in texts]
    longest = max(map(len, blobs))
    blobs = [blob for blob in blobs if len(blob) > min(length * 1.2, 20_000, longest - 1)]
    blobs = [blob * (1 + int(length * 1.2) // len(blob)) for blob in blobs]  # a short source fills a long sample by repetition
    for index in range(SAMPLES[length]):
        blob = blobs[index % len(blobs)]
        span = len(blob) - length - 300
        text = cut(blob, number(seed, length, index) % max(1, span), length)
        chosen.append(text)
    return chosen


def roots(kind: str, cache: pathlib.Path) -> list[tuple[pathlib.Path, str]]:
    if kind == "Rust":
        crates = sorted((p for p in (cache / "crates").glob("*") if p.is_dir()), key=lambda p: number(p.name))
        return [(crate, "**/*.rs") for crate in crates]
    if kind == "Python":
        # the standard library, and what requirements.txt brought
        packages = sysconfig.get_path("purelib")
        return [(pathlib.Path(sysconfig.get_path("stdlib")), "[a-z]*/*.py"), (pathlib.Path(sysconfig.get_path("stdlib")), "*.py")] + [
            (pathlib.Path(packages) / name, "**/*.py") for name in ("numpy", "scipy", "pip", "requests", "urllib3", "botocore")
        ]
    found = [(cache / "debian" / package, pattern) for package, pattern in DEBIAN.get(kind, [])]
    found += [(cache / "node_modules" / package, "**/*.json") for package in NPM.get(kind, [])]
    found += [(pathlib.Path(sysconfig.get_path("purelib")) / package, "**/*.json") for package in PYPI.get(kind, [])]
    return found


def ordered(paths) -> list[pathlib.Path]:
    """The files among these, by the hash of their names."""
    return sorted((path for path in paths if path.is_file()), key=lambda path: (number(path.name), path))


def encoded(cache: pathlib.Path, test: bool) -> list[str]:
    """Base64: of seeded bytes, of pictures and of archives; half of it in lines of 76."""
    pictures = ordered((cache / "debian").glob("**/*.png"))
    archives = ordered((cache / "debian").glob("manpages*/**/*.gz"))
    made = []
    for wrapped in (False, True):
        code = base64.encodebytes if wrapped else base64.b64encode
        made.append(code(random.Random(f"bytes {test}").randbytes(600_000)).decode())
        for files in (pictures, archives):
            mine = [p for p in files if (number("set", p.name) % 5 < 2) == test][:200]
            made.append("\n".join(code(p.read_bytes()[:40_000]).decode() for p in mine))
    return made


def packages() -> list[str]:
    """The names of Debian's packages."""
    return sorted({package for sources in DEBIAN.values() for package, _ in sources})


KINDS = ("English", "German", "Chinese", "Japanese", "Rust", "Python", "JSON", "base64")
BESIDES = ("French", "Russian", "Korean", "Indic")  # no aim is set for these; they say what their letters weigh


def corpus(cache: pathlib.Path, test: bool):
    """Kind, length and text of every sample of a set."""
    for kind in KINDS + BESIDES:
        if kind == "base64":
            texts = encoded(cache, test)
        else:
            texts = [stream(kind, root, pattern, test) for root, pattern in roots(kind, cache)]
        for length in LENGTHS:
            for text in samples(texts, length, f"{kind} {test}"):
                yield kind, length, text
