"""Fits the factors to the samples of the first set and says how far off they are on the second.

    fit.py CACHE METER TOKENS_RS [--write] [--letters]

`--write` puts the factors into `src/prompt/tokens.rs`; `--letters` says what each small letter costs besides.
"""

import argparse
import collections
import pathlib
import re

import numpy
from scipy.optimize import nnls

import features
import report
import samples
import texts

# What the models of this program use weighs more than what others use.
WEIGHTS = {"Qwen": 2.5, "o200k": 1.0}
BESIDES = 0.3  # the weight of a kind without an aim
APART = {"German": 1.6, "JSON": 1.4}  # kinds that come out too low for Qwen with equal weights
ROBUST = 0.15  # an error above this counts linearly, below it by its square
ROUNDS = 12
LEAST = 0.01  # the least that anything costs
FIXED = {"control": 1.0}  # no text has control characters
MARKS = {"message": 5.0, "request": 3.0, "tools": 80.0}  # the chat template's, counted


def fit(found: list[samples.Sample]) -> numpy.ndarray:
    """Factors with the least relative errors, none under `LEAST`; each kind and length weighs the same."""
    found = [sample for sample in found if not sample.test]
    sizes = collections.Counter((sample.kind, sample.length) for sample in found)
    rows, goals, weights = [], [], []
    for column, weight in enumerate(WEIGHTS.values()):
        for sample in found:
            tokens = sample.tokens[column]
            rows.append(sample.factors / tokens)
            goals.append(1 - (sample.marks + 0.5) / tokens)  # the half is what rounding up adds
            share = BESIDES if sample.kind in texts.BESIDES else APART.get(sample.kind, 1)
            weights.append(weight * share / sizes[sample.kind, sample.length])
    rows, goals, weights = numpy.array(rows), numpy.array(goals), numpy.array(weights)
    least = numpy.array([FIXED.get(name, LEAST) for name in features.NAMES])
    free = numpy.array([name not in FIXED for name in features.NAMES])
    goals = goals - rows @ least
    rows = rows[:, free]
    trust = numpy.ones(len(goals))
    for _ in range(ROUNDS):
        scale = numpy.sqrt(weights * trust)
        found_, _ = nnls(rows * scale[:, None], goals * scale, maxiter=10_000)
        trust = 1 / numpy.maximum(numpy.abs(rows @ found_ - goals) / ROBUST, 1)
    least[free] += found_
    return least


def constants(factors: numpy.ndarray) -> dict[str, int]:
    """Thousandths: three digits say more than the samples do."""
    named = dict(zip(features.NAMES, factors)) | MARKS
    return {name: int(round(value * 1_000, -1)) for name, value in named.items()}


def written(found: dict[str, int]) -> str:
    return "".join(f"    {name}: {value:_},\n" for name, value in found.items())


def letters(found: list[samples.Sample], factors: numpy.ndarray) -> None:
    """What each small letter adds to the factors: the costly ones are the rare ones."""
    import json
    import string

    with_letters = []
    for sample in found:
        if sample.kind != samples.AGENT:
            text = json.loads(sample.body)["prompt"]
            counts = [text.count(letter) for letter in string.ascii_lowercase]
            with_letters.append((sample, numpy.array(counts)))
    rows, goals, weights = [], [], []
    for sample, counts in with_letters:
        if sample.test or sample.kind in texts.BESIDES:
            continue
        rows.append(numpy.concatenate([sample.factors, counts]) / sample.tokens[0])
        goals.append(1 - 0.5 / sample.tokens[0])
        weights.append(1)
    costs, _ = nnls(numpy.array(rows), numpy.array(goals), maxiter=10_000)
    costs = dict(zip(string.ascii_lowercase, costs[len(features.NAMES) :]))
    print("small letters by what they cost:", " ".join(f"{k} {v:.2f}" for k, v in sorted(costs.items(), key=lambda c: -c[1])))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("meter", type=pathlib.Path)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--letters", action="store_true")
    options = parser.parse_args()
    source = options.source.read_text()
    rare = "" if options.letters else re.search(r'RARE_LETTERS: &\[u8\] = b"([a-z]*)"', source)[1]
    found = samples.load(options.cache, rare)
    factors = fit(found)
    if options.letters:
        return letters(found, factors)
    fitted = constants(factors)
    block = re.search(r"(pub const FACTORS: Factors = Factors \{\n)(.*?)(\};)", source, re.S)
    print("pub const FACTORS: Factors = Factors {\n" + written(fitted) + "};\n")
    print("these are the ones in tokens.rs\n" if block[2] == written(fitted) else "tokens.rs has other ones\n")
    if options.write:
        options.source.write_text(options.source.read_text().replace(block[2], written(fitted)))
    exact = numpy.array([fitted[name] for name in features.NAMES])
    return report.report(found, exact, options.meter, build=options.write)


if __name__ == "__main__":
    main()
