"""Every sample of both sets with its factors and its tokens in both vocabularies."""

import dataclasses
import json
import pathlib

import numpy

import agents
import chats
import features
import texts
import vocabularies

AGENT = "agent request"
KINDS = (*texts.KINDS, AGENT)


@dataclasses.dataclass
class Sample:
    test: bool
    kind: str
    length: int
    body: str  # the request that `sluice` reads
    factors: numpy.ndarray
    marks: int  # tokens of the chat template
    tokens: tuple[int, int]  # in Qwen's vocabulary and in o200k


def load(cache: pathlib.Path, rare: str) -> list[Sample]:
    counter, vocabulary = features.Counter(rare), vocabularies.Vocabularies()
    recorded = agents.requests(cache / "node_modules", cache)
    found = []
    for test in (False, True):
        answers = []  # what the agents' tools answer
        for kind, length, text in texts.corpus(cache, test):
            body = json.dumps({"prompt": text}, ensure_ascii=False)
            found.append(Sample(test, kind, length, body, counter.count(text), 0, vocabulary.count(text)))
            if length == 10_000 and kind in {"English", "Rust", "Python", "JSON"}:
                answers.append(text)
        for length, request in chats.chats(recorded, answers, test):
            text, on_top = chats.template(request)
            tokens = tuple(count + on_top for count in vocabulary.count(text))
            factors, marks = chats.counted(request, counter)
            found.append(Sample(test, AGENT, length, json.dumps(request, ensure_ascii=False), factors, marks, tokens))
    return found
