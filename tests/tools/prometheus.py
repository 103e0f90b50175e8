"""A Prometheus of a test's own: Debian's, on a free port, with a folder of its own. It scrapes itself every 200 ms; rules: a YAML text of rule groups."""
import json, os, shutil, socket, subprocess, tempfile, urllib.parse, urllib.request

import rungclient as r

PROGRAM = shutil.which("prometheus")


class Prometheus:
    """scrape: {job: "127.0.0.1:PORT"} to scrape as well; alertmanager: "127.0.0.1:PORT" of the one that alerts are sent to."""

    def __init__(self, rules="groups: []\n", scrape=None, alertmanager=None):
        self.folder = tempfile.mkdtemp(prefix="rung-prometheus-")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        with open(os.path.join(self.folder, "rules.yml"), "w") as f:
            f.write(rules)
        with open(os.path.join(self.folder, "prometheus.yml"), "w") as f:
            more = "".join("  - {job_name: %s, static_configs: [{targets: ['%s']}]}\n" % j for j in (scrape or {}).items())
            if alertmanager:
                more += "alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\n" % alertmanager
            f.write("global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}\nrule_files: [rules.yml]\nscrape_configs:\n"
                    "  - {job_name: self, static_configs: [{targets: ['127.0.0.1:%d']}]}\n  - {job_name: gone, static_configs: [{targets: ['127.0.0.1:1']}]}\n" % self.port + more)
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen([PROGRAM, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:%d" % self.port],
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        r.deadline(60, "Prometheus to have scraped twice", lambda: self.count("up") >= 2 and self.count("rate(prometheus_http_requests_total[30s])") > 0, 0.1)

    def count(self, query):
        try:
            with urllib.request.urlopen(self.url + "/api/v1/query?query=" + urllib.parse.quote(query), timeout=5) as f:
                return len(json.load(f)["data"]["result"])
        except OSError:
            return -1

    def alerts(self):
        """{name: state} of what is pending or firing."""
        try:
            with urllib.request.urlopen(self.url + "/api/v1/alerts", timeout=5) as f:
                return {a["labels"]["alertname"]: a["state"] for a in json.load(f)["data"]["alerts"]}
        except OSError:
            return {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
