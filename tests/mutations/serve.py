#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""serve.py PORT COMMIT TAG PACK: a git server on loopback that has a branch `stable` at COMMIT
and the signed TAG on it, and sends what the file PACK holds at that time."""
import http.server
import sys

port, commit, tag, pack = sys.argv[1:]
KIND = "application/x-git-upload-pack-%s"
FLUSH, DELIM = b"0000", b"0001"


def line(text):
    if isinstance(text, str):
        text = text.encode() + b"\n"
    return b"%04x" % (len(text) + 4) + text


CAPABILITIES = ("version 2", "agent=git/2.39", "ls-refs", "fetch=shallow filter", "object-format=sha1")
FIRST = b"".join(line(one) for one in CAPABILITIES) + FLUSH
REFS = (line(commit + " refs/heads/stable") +
        line("%s refs/tags/osupdate/2/second peeled:%s" % (tag, commit)) + FLUSH)
BEFORE = line("shallow-info") + line("shallow " + commit) + DELIM + line("packfile")


def fetched():
    with open(pack, "rb") as f:
        data = f.read()
    return BEFORE + b"".join(line(b"\x01" + data[i:i + 60000]) for i in range(0, len(data), 60000)) + FLUSH


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def send(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", KIND % kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send("advertisement", FIRST)

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.send("result", REFS if b"command=ls-refs" in asked else fetched())


http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
