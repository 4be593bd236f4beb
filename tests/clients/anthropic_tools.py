"""Tools through Anthropic's Python client, and its asynchronous half."""

import asyncio
from typing import Any

import anthropic
from anthropic_cases import client
from openai_cases import user
from openai_tools import ARGUMENTS, CALL, PARAMETERS
from stage import Stage, id_of, script

TOOLS: list[Any] = [{"name": "weather", "input_schema": PARAMETERS}]


def case_a_tool_is_called_and_its_result_is_heard(stage: Stage) -> None:
    options, api = script(tool=CALL), client(stage)
    question: list[Any] = user("what is the weather?")
    answer = api.messages.create(model="auto", max_tokens=64, messages=question, tools=TOOLS, **options)
    call: Any = answer.content[0]
    assert answer.stop_reason == "tool_use" and (call.name, call.input) == ("weather", ARGUMENTS), answer
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "rain"}]}
    history = [*question, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    second: Any = api.messages.create(model="auto", max_tokens=64, messages=history, tools=TOOLS, **options)
    assert second.content[0].text == "the tool said: rain", second
    assert [seen.body["tools"] for seen in stage.seen(id_of(options))] == [TOOLS, TOOLS]
    assert ["tools" in it["facts"]["has"] for it in stage.decisions(id_of(options), 2)] == [True, True]


def case_a_tool_call_streams(stage: Stage) -> None:
    with client(stage).messages.stream(
        model="small", max_tokens=64, messages=user("weather?"), tools=TOOLS, **script(tool=CALL)
    ) as stream:
        whole: Any = stream.get_final_message()
    assert whole.stop_reason == "tool_use" and whole.content[0].input == ARGUMENTS, whole


def case_a_message_is_awaited(stage: Stage) -> None:
    async def work() -> tuple[str, Any]:
        async with anthropic.AsyncAnthropic(
            base_url=stage.proxy, api_key="sk-secret", max_retries=0, timeout=15
        ) as api:
            async with api.messages.stream(
                model="big", max_tokens=64, messages=user("hello"), **options
            ) as stream:
                words = "".join([word async for word in stream.text_stream])
            return words, await api.messages.create(
                model="small", max_tokens=64, messages=user("hello"), **options
            )

    options = script()
    words, answer = asyncio.run(work())
    assert words == "big-model word1 word2 word3 word4 ", words
    assert answer.content[0].text == "small-model word1 word2 word3 word4 ", answer
    assert [seen.keys for seen in stage.seen(id_of(options))] == [[], []]
