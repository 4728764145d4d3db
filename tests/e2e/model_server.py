#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model that knows its answers beforehand: model_server.py STEPS PORT_FILE [LOG [ADDRESS [CERTIFICATE KEY]]]

Speaks as much of the Responses API as an agent's command line needs: POST .../responses with a stream of
events back. STEPS is a JSON list; the n-th element answers a request that carries the results of n calls:
either {"call": NAME, "arguments": {...}} or {"say": TEXT}. What was asked goes to LOG, one JSON a line:
the authorization header, and the results of the calls so far.
"""
import http.server
import json
import os
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply("application/json", b'{"object":"list","data":[],"models":[]}')

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        results = [item.get("output") for item in asked.get("input", [])
                   if isinstance(item, dict) and item.get("type", "").endswith("call_output")]
        if self.server.log:
            with open(self.server.log, "a", encoding="utf-8") as log:
                log.write(json.dumps({"authorization": self.headers.get("Authorization"),
                                      "results": results}) + "\n")
        step = self.server.steps[min(len(results), len(self.server.steps) - 1)]
        number = len(results) + 1
        if "call" in step:
            item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}",
                    "name": step["call"], "arguments": json.dumps(step["arguments"])}
        else:
            item = {"type": "message", "id": f"msg_{number}", "role": "assistant",
                    "content": [{"type": "output_text", "text": step["say"]}]}
        usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1,
                 "output_tokens_details": None, "total_tokens": 2}
        events = [{"type": "response.created", "response": {"id": f"resp_{number}"}},
                  {"type": "response.output_item.done", "output_index": 0, "item": item},
                  {"type": "response.completed", "response": {"id": f"resp_{number}", "usage": usage}}]
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self.reply("text/event-stream", text.encode())


def main():
    server = http.server.ThreadingHTTPServer((sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1", 0), Handler)
    with open(sys.argv[1], encoding="utf-8") as steps:
        server.steps = json.load(steps)
    server.log = sys.argv[3] if len(sys.argv) > 3 else None
    if len(sys.argv) > 6:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[5], sys.argv[6])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(sys.argv[2] + ".new", "w", encoding="utf-8") as port:
        port.write(str(server.server_address[1]))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    server.serve_forever()


if __name__ == "__main__":
    main()
