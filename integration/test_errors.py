"""A provider's errors reach the client in OpenAI's form, as the SDK's exceptions."""

import openai
import pytest

from gateway import user
from kinds import DIALECTS, KINDS, name_of

each_kind = pytest.mark.parametrize("kind", KINDS)
each_dialect = pytest.mark.parametrize("kind", DIALECTS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True])

EXCEPTIONS = {
    "bad_request": openai.BadRequestError,
    "permission": openai.PermissionDeniedError,
    "model_not_found": openai.NotFoundError,
    "context_too_long": openai.BadRequestError,
    "rate_limit": openai.RateLimitError,
    "server_error": openai.InternalServerError,
    "overloaded": openai.InternalServerError,
}


def failure(gateway, exception=openai.APIStatusError, **options):
    """The exception that the request ends with."""
    with pytest.raises(exception) as caught:
        answer = gateway.client().chat.completions.create(messages=user("hello"), **options)
        list(answer)
    return caught.value


@each_kind
@pytest.mark.parametrize("error", EXCEPTIONS)
def test_a_providers_error_is_the_sdks_exception(gateway, lane, kind, error):
    lane.script(kind, error=error)
    caught = failure(gateway, EXCEPTIONS[error], model=name_of(kind))
    assert set(caught.body) >= {"message", "type", "param", "code"}
    assert isinstance(caught.body["message"], str) and caught.body["message"]
    assert isinstance(caught.body["type"], str)
    assert caught.code is None or isinstance(caught.code, str)
    assert lane.order() == [kind], "there is no other target to ask"


@each_dialect
@pytest.mark.parametrize("error", ["rate_limit", "server_error"])
def test_an_error_before_a_stream_is_a_status(gateway, lane, kind, error):
    lane.script(kind, error=error)
    failure(gateway, EXCEPTIONS[error], model=name_of(kind), stream=True)


@each_dialect
@streamed_or_not
def test_retry_after_reaches_the_client(gateway, lane, kind, stream):
    lane.script(kind, status=429, retry_after=7)
    caught = failure(gateway, openai.RateLimitError, model=name_of(kind), stream=stream)
    assert caught.response.headers["retry-after"] == "7"


@each_dialect
def test_the_codes_that_clients_act_on(gateway, lane, kind):
    lane.script(kind, error="context_too_long")
    assert failure(gateway, model=name_of(kind)).code == "context_length_exceeded"
    lane.script(kind, error="model_not_found")
    assert failure(gateway, model=name_of(kind)).code == "model_not_found"


@each_dialect
@pytest.mark.parametrize("error", ["bad_key", "no_key"])
def test_a_refused_key_is_the_gateways_not_the_clients(gateway, lane, kind, error):
    """The client's own credentials are not at fault, and the answer does not show the gateway's."""
    lane.script(kind, error=error)
    caught = failure(gateway, model=name_of(kind))
    assert caught.status_code in (401, 403, 502, 503)
    assert f"key-of-{kind}" not in caught.response.text


@each_dialect
@pytest.mark.parametrize("body", ["html", "empty"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_error_that_is_no_json_is_still_in_openais_form(gateway, lane, kind, body, status):
    lane.script(kind, status=status, error=body)
    caught = failure(gateway, openai.InternalServerError, model=name_of(kind))
    assert caught.body["message"] and "<html" not in caught.body["message"].lower()


@each_dialect
def test_garbage_is_a_502(gateway, lane, kind):
    lane.script(kind, garbage=True)
    caught = failure(gateway, openai.InternalServerError, model=name_of(kind))
    assert caught.status_code == 502
    assert caught.body["message"]


@each_dialect
def test_a_refused_connection_is_said_so(gateway, kind):
    caught = failure(gateway, openai.InternalServerError, model=f"dead-{name_of(kind)}")
    assert caught.status_code in (502, 503)
    assert caught.body["message"] and caught.body["type"]


@each_dialect
def test_a_reset_connection_is_said_so(gateway, lane, kind):
    lane.script(kind, reset=True)
    caught = failure(gateway, openai.InternalServerError, model=name_of(kind))
    assert caught.status_code in (502, 503)
    assert caught.body["message"] and caught.body["type"]
