# SPDX-License-Identifier: MIT
"""git-http-backend behind lighttpd on loopback, and a wire before it that can be cut."""
import os
import shutil
import socket
import subprocess
import threading
import time

from vm import Failed


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Wire:
    """Forwards connections to `target`; `mode` is what the network does to them."""

    def __init__(self, target):
        self.target = target
        self.mode = "good"  # good | cut: connections die after `limit` bytes | garbage | down
        self.limit = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.mode == "down":
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.mode == "garbage":
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-"
                           b"advertisement\r\n\r\n" + os.urandom(65536))
            client.close()
            return
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            back = threading.Thread(target=self._copy, args=(server, client, True), daemon=True)
            back.start()
            self._copy(client, server, False)
            back.join()
        client.close()

    def _copy(self, source, sink, counted):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if counted and self.mode == "cut":
                    self.limit -= len(data)
                    if self.limit <= 0:
                        raise OSError("cut")
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Server:
    def __init__(self, directory, scratch):
        port = free_port()
        config = os.path.join(scratch, "lighttpd.conf")
        with open(config, "w") as f:
            f.write('''server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
server.document-root = "%s"
server.bind = "127.0.0.1"
server.port = %d
server.errorlog = "%s/lighttpd.log"
server.upload-dirs = ("%s")
alias.url = ("/git/" => "/usr/lib/git-core/git-http-backend/")
cgi.assign = ("" => "")
setenv.set-environment = ("GIT_PROJECT_ROOT" => "%s", "GIT_HTTP_EXPORT_ALL" => "1",
	"HOME" => "%s")
''' % (directory, port, scratch, scratch, directory, os.environ["HOME"]))
        self.process = subprocess.Popen([shutil.which("lighttpd") or "/usr/sbin/lighttpd", "-D",
                                         "-f", config], stdout=subprocess.DEVNULL)
        self.port = port
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise Failed("the web server did not start")
        self.wire = Wire(port)

    def stop(self):
        self.process.kill()
        self.process.wait()
