"""Tools through OpenAI's Python client, and its asynchronous half: what a harness or an agent does all day."""

import json
from typing import Any

from openai_cases import client, user
from openai_faults import asynchronously
from stage import Stage, id_of, script

ARGUMENTS = {"city": "Zürich", "unit": "\u00b0C \"quoted\""}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
CALL = {"name": "weather", "arguments": json.dumps(ARGUMENTS)}


def case_a_tool_is_called_and_its_result_is_heard(stage: Stage) -> None:
    options, api = script(tool=CALL), client(stage)
    question: list[Any] = user("what is the weather?")
    answer = api.chat.completions.create(model="auto", messages=question, tools=TOOLS, **options)
    call: Any = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls" and answer.choices[0].message.content is None, answer
    assert call.function.name == "weather" and json.loads(call.function.arguments) == ARGUMENTS, call
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain, 7 \u00b0C"}
    history = [*question, answer.choices[0].message.to_dict(), result]
    second = api.chat.completions.create(model="auto", messages=history, tools=TOOLS, **options)
    assert second.choices[0].message.content == "the tool said: rain, 7 \u00b0C", second
    assert [seen.body["tools"] for seen in stage.seen(id_of(options))] == [TOOLS, TOOLS]
    assert ["tools" in it["facts"]["has"] for it in stage.decisions(id_of(options), 2)] == [True, True]


def case_a_tool_call_streams(stage: Stage) -> None:
    with client(stage).chat.completions.stream(
        model="small", messages=user("weather?"), tools=TOOLS, **script(tool=CALL)
    ) as stream:
        pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        whole = stream.get_final_completion()
    assert len(pieces) >= 2, pieces
    call: Any = whole.choices[0].message.tool_calls[0]
    assert whole.choices[0].finish_reason == "tool_calls", whole
    assert call.function.name == "weather" and json.loads(call.function.arguments) == ARGUMENTS, call


def case_a_response_calls_a_tool(stage: Stage) -> None:
    tools: list[Any] = [{"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}]
    options, api = script(tool=CALL), client(stage)
    events = list(api.responses.create(model="small", input="weather?", tools=tools, stream=True, **options))
    completed: Any = events[-1]
    call = completed.response.output[0]
    assert call.type == "function_call" and json.loads(call.arguments) == ARGUMENTS, call
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "snow"}
    history: list[Any] = [{"role": "user", "content": "weather?"}, call.to_dict(), result]
    second = api.responses.create(model="small", input=history, tools=tools, **options)
    assert second.output_text == "the tool said: snow", second


# --- the asynchronous client -------------------------------------------------------------------------------


def case_a_chat_is_awaited(stage: Stage) -> None:
    async def ask(api: Any) -> Any:
        return await api.chat.completions.create(model="big", messages=user("hello"), **script())

    answer = asynchronously(stage, ask)
    assert answer.choices[0].message.content.startswith("big-model "), answer


def case_a_stream_is_awaited(stage: Stage) -> None:
    async def ask(api: Any) -> list[Any]:
        stream = await api.chat.completions.create(
            model="small", messages=user("hello"), stream=True, stream_options={"include_usage": True}, **script()
        )
        return [chunk async for chunk in stream]

    *chunks, last = asynchronously(stage, ask)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == "small-model word1 word2 word3 word4 " and last.usage.completion_tokens == 5, (said, last)


def case_models_are_awaited(stage: Stage) -> None:
    async def ask(api: Any) -> list[str]:
        return [model.id async for model in api.models.list()]

    assert {"auto", "big", "small"} <= set(asynchronously(stage, ask))


def case_a_key_is_not_passed_on(stage: Stage) -> None:
    options = script()
    client(stage).chat.completions.create(model="small", messages=user("hello"), **options)
    assert [seen.keys for seen in stage.seen(id_of(options))] == [[]]
