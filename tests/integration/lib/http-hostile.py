#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""http-hostile.py PORT DIRECTORY: files of DIRECTORY over http on loopback, as the first
component of the path says: "good", or with a lie of the web server's, of everything or
("full-…") of whole streams alone.  GET /modes lists all."""
import gzip
import http.server
import os
import socketserver
import sys
import time

port, directory = int(sys.argv[1]), sys.argv[2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path == "/modes":
            return self.answer(200, "\n".join(
                m[5:].replace("_", "-") for m in dir(self) if m.startswith("mode_")).encode() + b"\n")
        mode, path = self.path[1:].split("/", 1)
        try:
            with open(os.path.join(directory, path), "rb") as f:
                data = f.read()
        except OSError:
            return self.answer(404, b"")
        self.close_connection = True
        try:
            if mode == "good" or mode.startswith("full-") and not path.endswith("/full"):
                self.ranged(data)
            else:
                getattr(self, "mode_" + mode.removeprefix("full-").replace("-", "_"))(data, path)
        except OSError:
            pass

    def answer(self, status, data, size=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if size is None else size))
        self.end_headers()
        self.wfile.write(data)

    def ranged(self, data):
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            return self.answer(200, data, ETag='"x"')
        first, last = asked[6:].split("-")
        first, last = int(first), min(int(last or len(data)), len(data) - 1)
        self.answer(206, data[first:last + 1], ETag='"x"',
                    Content_Range="bytes %d-%d/%d" % (first, last, len(data)))

    def mode_redirect_to_a_file(self, data, path):
        self.answer(302, b"", Location="file://" + os.path.join(directory, path))

    def mode_redirect_for_ever(self, data, path):
        self.answer(302, b"", Location=self.path)

    def mode_redirect_with_escapes(self, data, path):
        self.answer(302, b"", Location="evil\x1b[2J://127.0.0.1/")

    def mode_endless_body(self, data, path):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def mode_endless_headers(self, data, path):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X: y\r\n" * 10000)

    def mode_one_endless_header(self, data, path):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            self.wfile.write(b"y" * 65536)

    def mode_silent_headers(self, data, path):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX")
        self.wfile.flush()
        time.sleep(60)

    def mode_endless_100(self, data, path):
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    def mode_length_too_small(self, data, path):
        self.answer(200, data, len(data) // 2)

    def mode_length_too_large(self, data, path):
        self.answer(200, data, len(data) * 2)

    def mode_gzip_bomb(self, data, path):
        self.answer(200, gzip.compress(bytes(64 << 20)), Content_Encoding="gzip")

    def mode_status_204(self, data, path):
        self.send_response(204)
        self.end_headers()

    def mode_no_http(self, data, path):
        self.wfile.write(b"\x1b[2J evil\r\n\r\n")

    def mode_other_range(self, data, path):
        if "Range" not in self.headers:
            return self.answer(200, data[::-1])
        self.answer(206, data[:100], Content_Range="bytes 0-99/%d" % len(data))


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
