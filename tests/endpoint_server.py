"""A server on this machine that speaks the chat completions protocol, for tests."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def said(text, **more):
    """Return a response of the protocol."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    choice["message"] |= more.pop("message", {})
    told = {"model": "made-up-2", "choices": [choice | more], "usage": {"total_tokens": 11}}
    return 200, json.dumps(told).encode(), {}


class Server:
    """Answers by ``reply(number of the request, its body)``: a status, a body and headers; keeps what it was asked."""

    def __init__(self):
        self.reply = lambda number, body: said("across")
        self.bodies, self.keys, self.paths, self.lock = [], [], [], threading.Lock()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with ours.lock:
                    ours.bodies.append(body)
                    ours.keys.append(self.headers.get("Authorization"))
                    ours.paths.append(self.path)
                    number = len(ours.bodies)
                status, told, headers = ours.reply(number, body)
                if status is None:  # hangs up in the middle of its answer
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that gave up
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        """Listen no longer."""
        self.http.shutdown()
        self.http.server_close()
