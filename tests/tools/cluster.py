"""A cluster's API as far as rung speaks it: objects in memory, pages, merge patches, evictions under a disruption budget, a rollout that takes a few looks. Every
request that came is in .requests, as (method, path with query, body). The shapes are those of the Kubernetes API, version 1."""
import copy, http.server, json, threading, urllib.parse


def pod(name, node, namespace="shop", owner="ReplicaSet", phase="Running", ready=True, **spec):
    metadata = {"name": name, "namespace": namespace, "uid": "uid-" + name, "labels": {"app": name.split("-")[0]}, "managedFields": [{"manager": "kubelet"}]}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": name.rsplit("-", 1)[0], "controller": True}]
    status = {"phase": phase, "containerStatuses": [{"name": "main", "ready": ready, "restartCount": 0 if ready else 7,
                                                     "state": {"running": {}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(spec, nodeName=node), "status": status}


def node(name):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def deployment(name, replicas, namespace="shop"):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "generation": 1},
            "spec": {"replicas": replicas, "template": {"metadata": {}}},
            "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas}}


def merge(into, change):
    for key, value in change.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


class Cluster:
    """token: what a request must bear. refusals: how often the budget says no to each pod. page: objects a page at most."""

    def __init__(self, token="cluster-token-0123", page=2):
        self.token, self.page, self.refusals = token, page, {}
        self.objects, self.requests, self.lock = {}, [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with outer.lock:
                    outer.requests.append((self.command, self.path, json.loads(body) if body else None))
                    if self.headers.get("Authorization") != "Bearer " + outer.token:
                        status, value = outer.status(401, "Unauthorized")
                    else:
                        status, value = outer.handle(self.command, self.path, json.loads(body) if body else None, self.headers.get("Content-Type"))
                data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            do_GET = do_POST = do_PATCH = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, *objects):
        for o in objects:
            kind = o["kind"].lower() + "s"
            self.objects[(kind, o["metadata"].get("namespace"), o["metadata"]["name"])] = o

    @staticmethod
    def status(code, message):
        return code, {"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": message, "code": code}

    def handle(self, method, path, body, kind_of_body):
        parts = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        words = parts.path.strip("/").split("/")
        words = words[2:] if words[0] == "api" else words[3:]
        namespace = None
        if words[0] == "namespaces" and len(words) > 2:
            namespace, words = words[1], words[2:]
        if len(words) == 1:
            return self.listed(words[0], namespace, query)
        key = (words[0], namespace, words[1])
        o = self.objects.get(key)
        if not o:
            return self.status(404, '%s "%s" not found' % (words[0], words[1]))
        if words[2:] == ["eviction"] and method == "POST":
            return self.evicted(key, o, body)
        if words[2:] == ["log"]:
            return 200, "".join("line %d\n" % i for i in range(1, 301))[:].split("\n", 300 - int(query["tailLines"]))[-1]
        if method == "PATCH":
            if kind_of_body != "application/merge-patch+json":
                return self.status(415, "the media type is not supported")
            before = copy.deepcopy(o)
            merge(o, body)
            if o != before and "generation" in o["metadata"]:
                o["metadata"]["generation"] += 1
                o["rollout"] = 3
        elif o.get("rollout"):
            self.roll(o)
        return 200, {k: v for k, v in o.items() if k != "rollout"}

    def listed(self, kind, namespace, query):
        def fits(key, o):
            if key[0] != kind or namespace not in (None, key[1]):
                return False
            wanted = query.get("fieldSelector", "")
            if wanted.startswith("spec.nodeName=") and o["spec"].get("nodeName") != wanted.split("=", 1)[1]:
                return False
            label = query.get("labelSelector")
            return not label or o["metadata"].get("labels", {}).get(label.split("=")[0]) == label.split("=")[1]
        found = [o for key, o in sorted(self.objects.items(), key=lambda item: str(item[0])) if fits(key, o)]
        at, most = int(query.get("continue") or 0), min(self.page, int(query.get("limit") or 500))
        more = str(at + most) if at + most < len(found) else ""
        return 200, {"kind": "List", "metadata": {"continue": more}, "items": found[at:at + most]}

    def evicted(self, key, o, body):
        if body["deleteOptions"]["preconditions"]["uid"] != o["metadata"]["uid"]:
            return self.status(409, "the object has another uid")
        left = self.refusals.get(key[2], 0)
        if left:
            self.refusals[key[2]] = left - 1
            return self.status(429, "Cannot evict pod as it would violate the pod's disruption budget.")
        del self.objects[key]
        return 201, {"kind": "Status", "status": "Success"}

    @staticmethod
    def roll(o):
        o["rollout"] -= 1
        s, wanted = o["status"], o["spec"]["replicas"]
        if o["rollout"] == 2:
            s["observedGeneration"], s["updatedReplicas"], s["readyReplicas"] = o["metadata"]["generation"], 0, 0
        if o["rollout"] <= 0:
            s.update(replicas=wanted, updatedReplicas=wanted, readyReplicas=wanted)
