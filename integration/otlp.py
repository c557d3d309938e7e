"""A receiver of OpenTelemetry's traces (OTLP over HTTP), which keeps the spans."""

import http.server
import threading

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span:
    def __init__(self, span):
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name = span.name
        self.tags = {tag.key: tag.value.string_value for tag in span.attributes}

    def __repr__(self):
        return f"{self.name} {self.id} of {self.parent or 'nobody'}: {self.tags}"


class Receiver:
    """Listens on a free port until it is closed."""

    def __init__(self):
        self.spans = []
        spans = self.spans

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                message = ExportTraceServiceRequest.FromString(body(self))
                for resource in message.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(Span(span) for span in scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def of(self, trace):
        return [span for span in list(self.spans) if span.trace == trace]


def body(request):
    """A request's body, whole or in chunks."""
    if length := request.headers.get("content-length"):
        return request.rfile.read(int(length))
    pieces = []
    while size := int(request.rfile.readline(), 16):
        pieces.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(pieces)
