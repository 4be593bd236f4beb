"""How an answer is written: as text, as a row of a Markdown table, as JSON."""

from dataclasses import asdict

from .budget import GIB, TYPICAL, Card, Fit, Serving, fit
from .catalogue import Table

_HEAD = (
    "model",
    "stored",
    "weights GiB",
    "KV KiB/token",
    "KV pool GiB",
    "tokens in it",
    "whole windows",
    "of 8,192",
    "tools",
    "answer",
)


def _count(number: int) -> str:
    return f"{number:,}"


def as_text(name: str, card: Card, serving: Serving, answer: Fit) -> str:
    """The sum line by line, and what follows from it."""
    sums = (
        (
            "vLLM's share",
            answer.share_gib,
            f"{answer.utilization:.2f} of {card.total_gib:.2f} GiB: --gpu-memory-utilization",
        ),
        ("weights", 0.0 - answer.weights_gib, ""),
        (
            "activations",
            -answer.activations_gib,
            f"{_count(serving.batch_tokens)} tokens a batch, {serving.requests} requests",
        ),
        ("fixed", 0.0 - answer.fixed_gib, "outside PyTorch, repacking, the allocator's waste"),
        ("CUDA graphs", 0.0 - answer.graphs_gib, "none: --enforce-eager" if serving.eager else "vLLM's estimate"),
        (
            "KV cache",
            answer.kv_gib,
            f"{answer.kv_bytes_per_token / 1024:.0f} KiB a token: {_count(answer.pool_tokens)} tokens",
        ),
    )
    lines = [f"{name} on {card.name}" + (f", {serving.beside_gib:.1f} GiB beside it" if serving.beside_gib else "")]
    lines += [f"  {label:<13}{size:+8.2f} GiB  {note}".rstrip() for label, size, note in sums]
    window = _count(serving.window)
    lines.append(f"  {answer.verdict}: {answer.spare_gib:+.2f} GiB beyond one window of {window} tokens")
    at_once = f"{answer.whole_windows} of {window}, {answer.typical_at_once} of {_count(TYPICAL)}"
    lines.append(f"  longest context {_count(answer.longest)}; at once {at_once}")
    return "\n".join(lines)


def as_dict(name: str, card: Card, serving: Serving, answer: Fit) -> dict[str, object]:
    """All of it, for --json."""
    return {"model": name, "card": asdict(card), "serving": asdict(serving), "fit": asdict(answer)}


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def as_markdown(table: Table) -> str:
    """A table as docs/models.md holds it."""
    lines = [_row(_HEAD), "|" + "---|" * len(_HEAD)]
    for build in table.builds:
        answer = fit(table.card, build.shape, build.bytes(), table.serving)
        lines.append(
            _row(
                (
                    f"`{build.name}`",
                    build.quant.name,
                    f"{build.bytes() / GIB:.1f}",
                    f"{answer.kv_bytes_per_token / 1024:.0f}",
                    f"{answer.kv_gib:.1f}".replace("-", "\N{MINUS SIGN}"),
                    _count(answer.pool_tokens),
                    str(answer.whole_windows),
                    str(answer.typical_at_once),
                    build.tool_parser or "none",
                    answer.verdict,
                )
            )
        )
    return "\n".join(lines)
