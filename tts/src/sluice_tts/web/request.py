"""A request for speech: OpenAI's members, each with its limits, and `seed`."""

import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice_tts.audio.speed import FASTEST, SLOWEST
from sluice_tts.errors import ApiError, invalid
from sluice_tts.text.split import Piece, split


class _Strict(BaseModel):
    # members that are not known are passed over, as other servers do: clients send some of their own
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class VoiceId(_Strict):
    """OpenAI's other way to name a voice."""

    id: Annotated[str, Field(min_length=1, max_length=64)]


class SpeechRequest(_Strict):
    """The body of /v1/audio/speech."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input: str
    voice: Annotated[str, Field(min_length=1, max_length=64)] | VoiceId
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    instructions: Annotated[str, Field(max_length=4096)] | None = (
        None  # taken, and not followed: Turbo has no such thing
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(default_factory=lambda: secrets.randbelow(2**32))

    @property
    def voice_name(self) -> str:
        """Whichever way it was said."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


def speech_request(body: dict[str, Any], models: tuple[str, ...], max_input: int) -> SpeechRequest:
    """The request, or 400 with the member that is wrong; 404 for a model that is not here."""
    given = {name: value for name, value in body.items() if value is not None}  # null: as if it were not there
    try:
        request = SpeechRequest.model_validate(given)
    except ValidationError as error:
        raise _invalid(error) from None
    if request.model not in models:
        message = f"no model {request.model!r}; there are: {', '.join(models)}"
        raise ApiError(404, "model_not_found", message, "model")
    if len(request.input) > max_input:
        raise invalid(f"input has {len(request.input)} characters; {max_input} are the most", "input")
    return request


def pieces(request: SpeechRequest, most: int) -> list[Piece]:
    """What is to be spoken; 400 when nothing can be."""
    found = split(request.input, most)
    if not found:
        raise invalid("input holds nothing that can be spoken: no letter and no digit", "input")
    return found


def _invalid(error: ValidationError) -> ApiError:
    problem = error.errors(include_url=False, include_context=False)[0]
    member = str(problem["loc"][0])
    if problem["type"] == "missing":
        return invalid(f"{member} is missing", member)
    if member == "voice":
        return invalid('voice must be a name of 1 to 64 characters, or {"id": name}', member)
    return invalid(f"{member}: {problem['msg']}", member)
