# SPDX-License-Identifier: MIT
"""What a run costs: time, peak anonymous memory of all its processes together, bytes from
the server, bytes written to devices.  Loop devices with ext4, restored before each run;
everything is below one scratch directory and gone at the end."""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time


def run(*argv, **more):
    """Run to success; its output is shown only when it fails."""
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, **more)
    if p.returncode != 0:
        raise SystemExit("%s: exit %d\n%s" % (" ".join(map(str, argv)), p.returncode,
                                              p.stdout.decode(errors="replace")[-3000:]))
    return p.stdout.decode(errors="replace")


def shell(script, **more):
    return run("bash", "-euo", "pipefail", "-c", script, **more)


def build():
    """Packages, a build, and an identity for git that is nobody's own."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    run(os.path.join(top, "tests", "setup"))
    if not os.path.isdir(os.path.join(top, "build", "main")):
        run("meson", "setup", "build/main", "--prefix=%s/build/root-main" % top, "-Dwerror=true", cwd=top)
    run("meson", "compile", "-C", "build/main", cwd=top)
    run("meson", "install", "-C", "build/main", "--quiet", cwd=top)
    prefix = os.path.join(top, "build", "root-main")
    os.environ.update(PATH="%s/bin:%s/sbin:%s" % (prefix, prefix, os.environ["PATH"]), LC_ALL="C",
                      GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="Builder", GIT_AUTHOR_EMAIL="builder@example.org",
                      GIT_COMMITTER_NAME="Builder", GIT_COMMITTER_EMAIL="builder@example.org")


class Scratch:
    """A directory, its loop devices, mounts and processes; cleans up however we end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="osupdate-test.", dir=os.environ.get("OSUPDATE_TMP", "/var/tmp"))
        os.chmod(self.dir, 0o755)
        self.mounts, self.loops, self.processes = [], [], []
        atexit.register(self.clean)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, lambda *_: (_ for _ in ()).throw(SystemExit(130)))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def clean(self):
        for p in self.processes:
            try:
                os.killpg(p.pid, signal.SIGTERM)  # fcgiwrap leaves its workers behind
            except ProcessLookupError:
                pass  # all have ended
            p.wait()
        for m in reversed(self.mounts):
            subprocess.run(["umount", "-l", m], stderr=subprocess.DEVNULL, check=False)
        for l in self.loops:
            subprocess.run(["losetup", "-d", l], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Disk:
    """An image with ext4 behind a loop device."""

    def __init__(self, scratch, name, size):
        self.scratch, self.size = scratch, size
        self.image = scratch.path(name + ".img")
        self.dir = scratch.path(name)
        self.device = None
        os.makedirs(self.dir, exist_ok=True)

    def attach(self):
        self.device = run("losetup", "--find", "--show", self.image).strip()
        self.scratch.loops.append(self.device)

    def detach(self):
        if self.device:
            run("losetup", "-d", self.device)
            self.scratch.loops.remove(self.device)
            self.device = None

    def make(self):
        self.detach()
        with open(self.image, "wb") as f:
            f.truncate(self.size)
        # Tables complete now: no writes in the background that belong to nobody.
        run("mkfs.ext4", "-q", "-F", "-I", "256", "-O", "^metadata_csum_seed,^orphan_file",
            "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.attach()

    def save(self, name):
        self.detach()
        run("sync", self.image)  # cp asks the file system where the holes are
        run("cp", "--sparse=always", self.image, self.scratch.path(name))
        run("sync", self.scratch.path(name))
        self.attach()

    def restore(self, name):
        self.detach()
        run("cp", "--sparse=always", self.scratch.path(name), self.image)
        run("sync", self.image)
        self.attach()

    def mount(self):
        run("mount", "-o", "noatime", self.device, self.dir)
        self.scratch.mounts.append(self.dir)

    def umount(self):
        run("umount", self.dir)
        self.scratch.mounts.remove(self.dir)

    def written(self):
        with open("/sys/block/%s/stat" % os.path.basename(self.device), encoding="ascii") as f:
            return int(f.read().split()[6]) * 512


class Server:
    """nginx on loopback: files, and git-http-backend below /git; counts what it sends."""

    def __init__(self, scratch, root):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.log = scratch.path("access.log")
        gateway = scratch.path("fcgi.sock")
        conf = scratch.path("nginx.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("""
user root;
daemon off;
pid %(dir)s/nginx.pid;
error_log %(dir)s/nginx.log;
events {}
http {
    log_format sent "$bytes_sent $request_uri $http_range";
    access_log %(log)s sent;
    client_body_temp_path %(dir)s/nginx-body;
    fastcgi_temp_path %(dir)s/nginx-fastcgi;
    proxy_temp_path %(dir)s/nginx-proxy;
    uwsgi_temp_path %(dir)s/nginx-uwsgi;
    scgi_temp_path %(dir)s/nginx-scgi;
    client_max_body_size 0;
    keepalive_requests 1000000;
    sendfile on;
    tcp_nodelay on;
    server {
        listen 127.0.0.1:%(port)d;
        root %(root)s;
        location ~ ^/git(/.*)$ {
            fastcgi_pass unix:%(gateway)s;
            fastcgi_buffering off;
            fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
            fastcgi_param GIT_PROJECT_ROOT %(root)s;
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param HOME %(dir)s;
            fastcgi_param PATH_INFO $1;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
        }
    }
}
""" % {"root": root, "port": port, "dir": scratch.dir, "log": self.log, "gateway": gateway})
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for argv in (["fcgiwrap", "-c", "2", "-s", "unix:" + gateway],
                     ["nginx", "-p", scratch.dir, "-e", scratch.path("nginx.log"), "-c", conf]):
            scratch.processes.append(subprocess.Popen(argv, start_new_session=True, **quiet))
        self.nginx = scratch.processes[-1]
        self.port = port
        self.url = "http://127.0.0.1:%d" % port
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx does not start: see %s/nginx.log" % scratch.dir)

    def sent(self):
        """Bytes so far; a line is written when a request ends, just after its client knows."""
        time.sleep(0.1)
        with open(self.log, encoding="ascii") as f:
            return sum(int(line.split(" ", 1)[0]) for line in f)

    def requests(self):
        """Path and range ("" for none) of all so far."""
        time.sleep(0.1)
        with open(self.log, encoding="ascii") as f:
            found = [line.rstrip("\n").split(" ") for line in f]
        return [(path, "" if span == "-" else span) for _, path, span in found]


def anonymous(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
            for line in f:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def below(top):
    """`top` and all that descend from it, now."""
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, encoding="latin1") as f:
                    parent[int(name)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    found = {top}
    grown = True
    while grown:
        more = {p for p, q in parent.items() if q in found} - found
        found |= more
        grown = bool(more)
    return found


class Memory(threading.Thread):
    """Peak of the sum over a process and its descendants, looked at every few ms."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, False
        self.start()

    def run(self):
        while not self.ended:
            self.peak = max(self.peak, sum(anonymous(p) for p in below(self.pid)))
            time.sleep(0.004)


class Cost:
    """Run a shell script and measure it; `memory` costs time, so it has a run of its own."""

    def __init__(self, script, disks, server, memory=False, cwd=None):
        before = [d.written() for d in disks]
        sent = server.sent()
        started = time.monotonic()
        p = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd)
        sampler = Memory(p.pid) if memory else None
        out = p.communicate()[0]
        self.seconds = time.monotonic() - started
        if sampler:
            sampler.ended = True
            sampler.join()
        if p.returncode != 0:
            raise SystemExit("%s: exit %d\n%s" % (script, p.returncode, out.decode(errors="replace")[-3000:]))
        self.output = out.decode(errors="replace")
        self.memory = sampler.peak if sampler else None
        self.wire = server.sent() - sent
        self.written = [d.written() - b for d, b in zip(disks, before)]
