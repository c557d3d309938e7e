"""Stands in for Jaeger where that cannot be pulled: takes spans (OTLP over HTTP, 4318) and gives the trace of an id as Jaeger's API does
(GET /api/traces/ID, 16686)."""

import json

from otlp import Receiver
from server import Server


def traces(request):
    asked = request.path.rsplit("/", 1)[-1]
    spans = [as_jaeger(span) for span in RECEIVER.of(asked)]
    return json.dumps({"data": [{"traceID": asked, "spans": spans}]}).encode() if spans else None


def as_jaeger(span):
    of = [{"refType": "CHILD_OF", "traceID": span.trace, "spanID": span.parent}] if span.parent else []
    tags = [{"key": key, "type": "string", "value": value} for key, value in span.tags.items()]
    return {"traceID": span.trace, "spanID": span.id, "operationName": span.name, "references": of, "tags": tags}


if __name__ == "__main__":
    RECEIVER = Receiver(("0.0.0.0", 4318))
    Server(traces, "application/json", address=("0.0.0.0", 16686))
