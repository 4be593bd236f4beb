"""OpenAI's own client against the service: what it asks for, how it streams, which of its errors it raises."""

from collections.abc import Iterator

import openai
import pytest

from running import Running
from sounds import decoded

TEXT = "Good evening. How are you?"
SECONDS = pytest.approx(0.06 * len(TEXT), rel=0.1)


@pytest.fixture
def client(service: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_it_speaks(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="default", input=TEXT)
    assert decoded(answer.read(), "mp3").seconds == SECONDS


def test_it_streams(client: openai.OpenAI) -> None:
    speech = client.audio.speech.with_streaming_response
    with speech.create(model="tts-1", voice="default", input=TEXT, response_format="pcm", speed=2.0) as answer:
        data = b"".join(answer.iter_bytes(4096))
    assert decoded(data, "pcm").seconds == pytest.approx(0.03 * len(TEXT), rel=0.1)


def test_its_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there are: default") as unknown:
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert (unknown.value.code, unknown.value.param) == ("voice_not_found", "voice")
    with pytest.raises(openai.BadRequestError) as empty:
        client.audio.speech.create(model="tts-1", voice="default", input="")
    assert empty.value.param == "input"


def test_it_lists_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["chatterbox-turbo"]
    assert client.models.retrieve("tts-1").id == "tts-1"
