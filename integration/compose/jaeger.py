"""Stands in for Jaeger where that cannot be pulled: takes spans (OTLP over HTTP, 4318) and gives the traces of an id as Jaeger's API
does (GET /api/traces/ID, 16686)."""

import collections
import http.server
import json
import threading

import otlp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MOST = 50_000
SPANS = collections.deque(maxlen=MOST)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = ExportTraceServiceRequest.FromString(otlp.body(self))
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                SPANS.extend(otlp.Span(span) for span in scope.spans)
        self.answer(200, {})

    def do_GET(self):
        asked = self.path.rsplit("/", 1)[-1]
        spans = [as_jaeger(span) for span in list(SPANS) if span.trace == asked]
        found = {"data": [{"traceID": asked, "spans": spans}] if spans else [], "errors": None if spans else [{"code": 404, "msg": "trace not found"}]}
        self.answer(200 if spans else 404, found)

    def answer(self, status, found):
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def as_jaeger(span):
    of = [{"refType": "CHILD_OF", "traceID": span.trace, "spanID": span.parent}] if span.parent else []
    tags = [{"key": key, "type": "string", "value": value} for key, value in span.tags.items()]
    return {"traceID": span.trace, "spanID": span.id, "operationName": span.name, "references": of, "tags": tags}


if __name__ == "__main__":
    for port in (4318, 16686):
        server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler)
        threading.Thread(target=server.serve_forever).start()
