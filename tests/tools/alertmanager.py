"""What stands around a Prometheus of a test's own: Debian's Alertmanager and node_exporter as this user's processes, on free ports of loopback."""
import json, os, shutil, socket, subprocess, urllib.request

import rungclient as r

ALERTMANAGER = shutil.which("prometheus-alertmanager")
NODE_EXPORTER = shutil.which("prometheus-node-exporter")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, timeout=5):
    """The body, or None where nobody answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as f:
            return f.read()
    except OSError:
        return None


class Process:
    """One program with a folder and a log of its own, ended by its number."""

    def __init__(self, folder, argv, cwd=None, env=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.log = open(os.path.join(folder, "log"), "w")
        self.process = subprocess.Popen(argv, cwd=cwd or folder, env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def said(self):
        with open(os.path.join(self.folder, "log")) as f:
            return f.read()[-2000:]


class NodeExporter(Process):
    """The file systems of this process's mount namespace, nothing else."""

    def __init__(self, folder):
        self.port = free_port()
        # It reads the mounts of process 1, which may be in another namespace, unless there are none: then its own.
        proc = os.path.join(folder, "proc")
        os.makedirs(proc)
        os.symlink("/proc/self/mounts", os.path.join(proc, "mounts"))
        super().__init__(folder, [NODE_EXPORTER, "--web.listen-address=127.0.0.1:%d" % self.port, "--collector.disable-defaults", "--collector.filesystem",
                                  "--path.procfs=" + proc, "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|run)($|/)"])
        r.deadline(30, "node_exporter to answer", lambda: get("http://127.0.0.1:%d/metrics" % self.port), 0.1)


class Alertmanager(Process):
    """Sends each alert, firing and resolved, to url at once, with the token as bearer."""

    def __init__(self, folder, url, token, group_by=("alertname", "mountpoint")):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        os.makedirs(folder)
        config = os.path.join(folder, "alertmanager.yml")
        with open(config, "w") as f:
            f.write(json.dumps({
                "route": {"receiver": "rung", "group_by": list(group_by), "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
                "receivers": [{"name": "rung", "webhook_configs": [{"url": url, "send_resolved": True, "http_config": {"authorization": {"credentials": token}}}]}],
            }))
        os.chmod(config, 0o600)
        super().__init__(folder, [ALERTMANAGER, "--config.file=" + config, "--storage.path=" + os.path.join(folder, "data"), "--cluster.listen-address=",
                                  "--web.listen-address=127.0.0.1:%d" % self.port])
        r.deadline(30, "Alertmanager to be ready", lambda: get(self.url + "/-/ready"), 0.1)

    def alerts(self):
        body = get(self.url + "/api/v2/alerts")
        return json.loads(body) if body else []
