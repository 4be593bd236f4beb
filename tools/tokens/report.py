"""The table of errors: what `sluice` itself estimates for the samples of the second set, against both vocabularies."""

import math
import pathlib
import subprocess

import numpy

import samples
import texts
import vocabularies

MANIFEST = pathlib.Path(__file__).parent / "meter/Cargo.toml"


def estimates(found: list[samples.Sample], meter: pathlib.Path, build: bool) -> list[int]:
    """The program's own, of request bodies."""
    if build:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", MANIFEST], check=True)
    bodies = "\n".join(sample.body for sample in found) + "\n"
    answer = subprocess.run([meter], input=bodies, capture_output=True, text=True, check=True)
    return [int(line) for line in answer.stdout.split()]


def agree(found: list[samples.Sample], own: list[int], factors: numpy.ndarray) -> None:
    """The features here and those of the program must be the same, or the fit is of something else."""
    apart = 0
    for sample, estimate in zip(found, own):
        here = math.ceil((sample.factors @ factors) / 1_000 - 1e-9) + sample.marks
        if abs(here - estimate) > 1:
            apart += 1
            if apart < 4:
                print(f"apart: {sample.kind} {sample.length}: fit {here}, sluice {estimate}")
    print(f"{len(found)} samples, {apart} of them estimated otherwise by sluice than here\n")


def cell(errors: list[float]) -> str:
    size = numpy.abs(errors)
    return f"{100 * numpy.median(errors):+.1f} / {100 * numpy.quantile(size, 0.9):.0f} / {100 * size.max():.0f}"


def report(found: list[samples.Sample], factors: numpy.ndarray, meter: pathlib.Path, build: bool) -> None:
    own = estimates(found, meter, build)
    agree(found, own, factors)
    print("Errors of the estimate in %: median / 90 % of the samples are within / the largest.\n")
    print("| text | bytes | samples | Qwen | o200k |\n|---|---|---|---|---|")
    for kind in (*samples.KINDS, *texts.BESIDES):
        for length in sorted({sample.length for sample in found if sample.kind == kind}):
            mine = [(s, e) for s, e in zip(found, own) if s.test and s.kind == kind and s.length == length]
            cells = [cell([e / s.tokens[column] - 1 for s, e in mine]) for column in range(len(vocabularies.Vocabularies.NAMES))]
            print(f"| {kind} | {length:,} | {len(mine)} | {' | '.join(cells)} |")
