"""Structured output: a schema that the answer keeps, read into a pydantic model by the SDK."""

import enum
import json

import openai
import pydantic
import pytest

from gateway import user
from kinds import DIALECTS, KINDS, name_of, obedient

each_dialect = pytest.mark.parametrize("kind", DIALECTS)


class Unit(enum.Enum):
    METRIC = "metric"
    IMPERIAL = "imperial"


class Place(pydantic.BaseModel):
    name: str
    country: str | None


class Forecast(pydantic.BaseModel):
    place: Place
    unit: Unit
    degrees: float
    days: list[int]
    rain: bool


WITHOUT_SCHEMAS = {"deepseek"}  # DeepSeek's API has JSON mode alone


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_SCHEMAS])
def test_parse_reads_the_answer_into_the_model(gateway, kind):
    answer = gateway.client().chat.completions.parse(
        model=name_of(kind), messages=user("the weather"), response_format=Forecast
    )
    message = answer.choices[0].message
    assert isinstance(message.parsed, Forecast)
    assert answer.choices[0].finish_reason == "stop"
    assert not message.tool_calls


@pytest.mark.parametrize("kind", WITHOUT_SCHEMAS)
def test_a_schema_is_refused_where_there_is_nothing_like_it(gateway, lane, kind):
    with pytest.raises(openai.BadRequestError) as caught:
        gateway.client().chat.completions.parse(model=name_of(kind), messages=user("hello"), response_format=Forecast)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "response_format")
    assert lane.received() == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_SCHEMAS])
def test_the_streaming_helper_parses(gateway, kind):
    options = {"model": name_of(kind), "messages": user("the weather"), "response_format": Forecast}
    with gateway.client().chat.completions.stream(**options) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Forecast)


@each_dialect
def test_json_mode(gateway, kind):
    answer = gateway.client().chat.completions.create(
        model=obedient(kind), messages=user("answer in JSON"), response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


class Weather(pydantic.BaseModel):
    """Tells the weather."""

    city: str


@each_dialect
def test_pydantic_tools_are_parsed(gateway, kind):
    answer = gateway.client().chat.completions.parse(
        model=name_of(kind),
        messages=user('call tool Weather with {"city":"Oslo"}'),
        tools=[openai.pydantic_function_tool(Weather)],
    )
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == Weather(city="Oslo")
