"""From a card, a model and a vLLM configuration to the answer: does it fit, how much context, how many at once.

vLLM takes `gpu-memory-utilization` x the card's memory and gives the KV cache what is left of that share after the
weights, the peak of the activations in a trial run, memory outside PyTorch, and its estimate of the CUDA graphs.
Logs show that sum to be exact; what has to be estimated beforehand are its last three parts. Each constant here stands
with what it was taken from; docs/models.md has the comparison with the logs.
"""

from dataclasses import dataclass
from math import floor

from .shape import Shape

GIB = 1 << 30

BLOCK = 16
"""Tokens in a block of vLLM's KV cache."""

CONTEXT_GIB = 0.35
"""CUDA context of a process, outside vLLM's share: free memory at start was 0.11 to 0.63 GiB below the total
(vllm-project/vllm #10517 has 0.35 on a 3090, #14452 0.33)."""

FIXED_GIB = 0.5
"""Memory outside PyTorch within the share (0.07 to 0.26 in logs), repacked 4-bit weights and the allocator's waste."""

GRAPHS_GIB = 0.6
"""vLLM's own estimate of its CUDA graphs: 0.17, 0.36, 0.58 GiB for 7, 16 and 51 sizes. Eager mode has none."""

LOGIT_BYTES = 8
"""Bytes of the output layer for each entry of the vocabulary and each sequence of the trial run (16 and 32 bits)."""

ACTIVATION_BYTES = 4
"""Bytes for each value that is alive: 16 bits, doubled to meet the logs of a 32B and a 7B model."""

ERROR_GIB = 0.7
"""How far off the estimate was at most: a fit with less to spare is called tight."""

TYPICAL = 8192
"""Tokens of a common agent request (OpenCode starts at about 7,000), for `how many at once`."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card as CUDA sees it: less than what is printed on the box."""

    name: str
    total_gib: float


@dataclass(frozen=True, slots=True)
class Serving:
    """How vLLM is to be started. `utilization` None: as much as the card has left beside the others."""

    window: int
    requests: int = 4
    batch_tokens: int = 2048
    eager: bool = False
    kv_value_bytes: int = 2
    utilization: float | None = None
    beside_gib: float = 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer. Sizes in GiB, contexts in tokens; `kv_gib` below zero means that not even the weights have room."""

    utilization: float
    share_gib: float
    weights_gib: float
    activations_gib: float
    fixed_gib: float
    graphs_gib: float
    kv_gib: float
    kv_bytes_per_token: int
    pool_tokens: int
    longest: int
    whole_windows: int
    typical_at_once: int
    spare_gib: float
    verdict: str


def most_utilization(card: Card, beside_gib: float) -> float:
    """The largest share vLLM will start with: it wants that much free, beside the other processes and its context."""
    return max(floor((card.total_gib - beside_gib - CONTEXT_GIB) / card.total_gib * 100) / 100, 0.0)


def activations_gib(shape: Shape, serving: Serving) -> float:
    """Peak of the trial run: a full batch in the widest layer, and the logits of every sequence."""
    batch = serving.batch_tokens * shape.activation_values_per_token() * ACTIVATION_BYTES
    return (batch + serving.requests * shape.vocab * LOGIT_BYTES) / GIB


def _verdict(card: Card, utilization: float, serving: Serving, spare_gib: float) -> str:
    if spare_gib < 0:
        return "no"
    if utilization > most_utilization(card, serving.beside_gib):
        return "no: the share and what runs beside it are more than the card"
    return "fits" if spare_gib >= ERROR_GIB else "tight"


def fit(card: Card, shape: Shape, weights_bytes: int, serving: Serving) -> Fit:
    """Works out whether a window of `serving.window` tokens fits, and what else the pool of KV cache holds."""
    most = most_utilization(card, serving.beside_gib)
    utilization = most if serving.utilization is None else serving.utilization
    share = card.total_gib * utilization
    weights = weights_bytes / GIB
    activations = activations_gib(shape, serving)
    graphs = 0.0 if serving.eager else GRAPHS_GIB
    kv_gib = share - weights - activations - FIXED_GIB - graphs
    per_token = shape.kv_bytes_per_token(serving.kv_value_bytes)
    pool = max(floor(kv_gib * GIB / per_token) // BLOCK * BLOCK, 0)
    spare = kv_gib - serving.window * per_token / GIB
    return Fit(
        utilization=utilization,
        share_gib=share,
        weights_gib=weights,
        activations_gib=activations,
        fixed_gib=FIXED_GIB,
        graphs_gib=graphs,
        kv_gib=kv_gib,
        kv_bytes_per_token=per_token,
        pool_tokens=pool,
        longest=min(pool, shape.max_context),
        whole_windows=pool // serving.window,
        typical_at_once=pool // TYPICAL,
        spare_gib=spare,
        verdict=_verdict(card, utilization, serving, spare),
    )
