"""Bytes of a model's weights by the way they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .shape import Shape, UnsupportedError

SCALE_BITS = 16
"""AWQ and GPTQ keep one 16-bit scale for each group of values ..."""

FP8_BLOCK = 128 * 128
"""... and FP8 builds of this size one 32-bit scale for each block."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How the matrices are stored: bits a value, and how many values share a scale (0: none)."""

    bits: int
    group: int = 0
    floating: bool = False

    @property
    def name(self) -> str:
        """As it is written on the command line and in models.json."""
        if self.floating:
            return "bf16" if self.bits == 16 else "fp8"
        return f"int{self.bits}-g{self.group}"

    def bits_per_value(self) -> float:
        """Bits a value with its part of the scales and, for whole-number builds, of the zero points."""
        if self.floating:
            return self.bits + (32 / FP8_BLOCK if self.bits == 8 else 0)
        return self.bits + (SCALE_BITS + self.bits) / self.group


BF16 = Quantisation(16, floating=True)
FP8 = Quantisation(8, floating=True)


def parse(text: str) -> Quantisation:
    """Reads `bf16`, `fp8`, `int4-g128`, `int8-g32` and the like."""
    named = {"bf16": BF16, "fp16": BF16, "fp8": FP8}.get(text)
    if named is not None:
        return named
    bits, _, group = text.removeprefix("int").partition("-g")
    if not text.startswith("int") or bits not in {"4", "8"} or not group.isdecimal() or int(group) == 0:
        raise UnsupportedError(
            f"quantisation {text!r}: write bf16, fp8, int4-g128 or int8-g128 (AWQ and GPTQ are int4 or int8)"
        )
    return Quantisation(int(bits), int(group))


def of_config(config: Mapping[str, Any]) -> Quantisation:
    """How a build is stored by the `quantization_config` of its config.json; without one, bf16."""
    settings: Mapping[str, Any] = config.get("quantization_config") or {}
    method = settings.get("quant_method")
    if not settings:
        return BF16
    if method == "fp8":
        return FP8
    if method in {"awq", "gptq"}:
        return parse(f"int{settings.get('bits')}-g{settings.get('group_size')}")
    groups: Mapping[str, Any] = settings.get("config_groups") or {}
    schemes = [group.get("weights") or {} for group in groups.values()]
    if method == "compressed-tensors" and len(schemes) == 1:
        scheme = schemes[0]
        return (
            FP8 if scheme.get("type") == "float" else parse(f"int{scheme.get('num_bits')}-g{scheme.get('group_size')}")
        )
    raise UnsupportedError(f"quantization_config: {method!r} is not known here: say how it is stored with --quant")


def weight_bytes(shape: Shape, quantisation: Quantisation) -> int:
    """Bytes on the card once loaded. Norms and biases are left out: less than a thousandth."""
    return round(shape.linear_values() * quantisation.bits_per_value() / 8) + 2 * shape.plain_values()
