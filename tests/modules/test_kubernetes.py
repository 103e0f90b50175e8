#!/usr/bin/env python3
"""The module kubernetes against an API of a test's own (tests/tools/cluster.py), and the shipped book that drains a node.

limit: 180"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from cluster import Cluster, deployment, node, pod
from step import Steps, fails
from world import run_tests, same

tests = []


def test(f):
    tests.append(f)
    return f


class WithCluster(Steps):
    def prepare(self):
        self.cluster = Cluster()
        self.cluster.add(node("n1"), node("n2"), deployment("web", 3), pod("web-1", "n1"), pod("web-2", "n1"), pod("web-3", "n2", ready=False), pod("agent-1", "n1", "kube-system", "DaemonSet"),
                         pod("done-1", "n1", "shop", "Job", phase="Succeeded"))
        os.makedirs(self.path(".rung"), exist_ok=True)
        with open(self.path("token"), "w") as f:
            f.write(self.cluster.token)
        os.chmod(self.path("token"), 0o600)
        with open(self.path(".rung/secrets.yaml"), "w") as f:
            f.write("version: 1\nsecrets:\n  kubernetes: {file: %s}\n" % self.path("token"))

    def end(self):
        self.cluster.close()
        super().end()

    def k(self, body, **more):
        url = self.cluster.url
        rights = ["http GET %s/**?**" % url, "http GET %s/**" % url, "http PATCH %s/**" % url, "http POST %s/**" % url, "secret kubernetes", "sh sleep *"]
        source = 'local k = kubernetes{server = "%s", auth = secret "kubernetes", namespace = "shop"}\n%s' % (url, body)
        return self.lua_result(source, *rights, **dict(dict(attributes="risk=change"), **more))

    def asked(self, method):
        return [(path, body) for m, path, body in self.cluster.requests if m == method]


@test
def objects_are_got_and_listed_in_pages(w):
    got = w.k('local d = k:get("deployment", "web") return {name = d.metadata.name, replicas = d.spec.replicas, gone = k:get("deployments", "nothing") == nil}')
    same(got, {"name": "web", "replicas": 3, "gone": True})
    same([p["name"] for p in w.k("return k:pods()")], ["done-1", "web-1", "web-2", "web-3"])
    assert len(w.asked("GET")) == 4, "two objects, two pages: %r" % w.asked("GET")
    same(w.k('return k:pods{labels = "app=web", node = "n2"}'),
         [{"name": "web-3", "namespace": "shop", "phase": "Running", "ready": False, "restarts": 7, "node": "n2", "why": "CrashLoopBackOff"}])
    same(w.k('local p = k:list("pod", {namespace = false}) return {count = #p, managed = p[1].metadata.managedFields == nil}'), {"count": 5, "managed": True})
    same(w.k('local l = k:logs("web-1", {lines = 2}) return l'), ["line 299", "line 300"])
    fails(lambda: w.k('k:get("gadgets", "x")'), "is no kind that it knows")
    fails(lambda: w.k('k:get("pod", "../../secrets/x")'), "is no name of an object")


@test
def a_restart_asked_again_starts_nothing_anew(w):
    w.k('k:restart("deployment", "web") k:restart("deployment", "web") k:wait("deployment", "web", {every = "1s", ["for"] = "20s"})')
    patches = w.asked("PATCH")
    assert len(patches) == 2 and patches[0] == patches[1], patches
    same(w.cluster.objects[("deployments", "shop", "web")]["metadata"]["generation"], 2)


@test
def scaling_and_waiting(w):
    same(w.k('k:scale("deployment", "web", 5) local d = k:wait("deployment", "web", {every = "1s", ["for"] = "20s"}) return {ready = d.status.readyReplicas}'), {"ready": 5})
    w.cluster.objects[("deployments", "shop", "web")]["status"]["readyReplicas"] = 2
    fails(lambda: w.k('k:wait("deployment", "web", {every = "1s", ["for"] = "1s"})'), "2 of 5 are ready")
    fails(lambda: w.k('k:scale("daemonset", "x", 1)'), "were expected")


@test
def a_drain_respects_budgets_and_leaves_what_stays(w):
    w.cluster.refusals["web-2"] = 1
    same(w.k('return k:drain("n1", {every = "1s", grace = 5})'), {"node": "n1", "evicted": ["shop/web-1", "shop/web-2"]})
    assert w.cluster.objects[("nodes", None, "n1")]["spec"]["unschedulable"] is True
    same([path.split("/")[-2] for path, _ in w.asked("POST")], ["web-1", "web-2", "web-2"])
    same(w.asked("POST")[0][1]["deleteOptions"]["gracePeriodSeconds"], 5)
    assert ("pods", "kube-system", "agent-1") in w.cluster.objects
    w.k('k:uncordon("n1")')
    assert "unschedulable" not in w.cluster.objects[("nodes", None, "n1")]["spec"]


@test
def a_drain_stops_before_anything_is_lost(w):
    w.cluster.add(pod("alone", "n1", owner=None))
    fails(lambda: w.k('k:drain("n1", {every = "1s"})'), "shop/alone: nothing would start it again")
    same(w.asked("POST"), [])
    w.cluster.objects.pop(("pods", "shop", "alone"))
    w.cluster.add(pod("cache-1", "n1", volumes=[{"name": "data", "emptyDir": {}}]))
    fails(lambda: w.k('k:drain("n1", {every = "1s"})'), "shop/cache-1: it has data in an emptyDir")
    same(w.asked("POST"), [])
    w.cluster.refusals["web-1"] = 1000
    fails(lambda: w.k('k:drain("n1", {every = "1s", ["for"] = "2s", local_data = true})'), "web-1", "disruption budget")


@test
def a_wrong_token_is_said_and_not_shown(w):
    w.cluster.token = "another-token-4567"
    said = fails(lambda: w.k('k:get("pod", "web-1")'), "Unauthorized")
    assert "cluster-token-0123" not in said, said


@test
def the_shipped_book_drains_a_node_and_takes_it_back(w):
    book = os.path.join(w.folder, "node-drain.md")
    with open("runbooks/node-drain.md") as f:
        text = f.read()
    with open(book, "w") as f:  # the API of this test has no TLS
        f.write(text.replace("https://", "http://"))
    # An address of this host is reached only where somebody names it.
    named = ["http %s %s/**%s" % (method, w.cluster.url, query) for method in ("GET", "PATCH", "POST") for query in ("", "?**")]
    x = w.run(book, params={"api": "127.0.0.1", "port": w.cluster.port, "node": "n1", "wait": "20s"}, allow=named)
    w.waits(x, "maintain", "person", 60)
    same([k for k in w.cluster.objects if k[0] == "pods" and k[2].startswith("web") and w.cluster.objects[k]["spec"]["nodeName"] == "n1"], [])
    assert w.cluster.objects[("nodes", None, "n1")]["spec"]["unschedulable"] is True
    w.client.ask("settle", execution=x, step="maintain", outcome="succeeded")
    view = r.wait_over(w.client, x)
    same([(s["id"], s["state"]) for s in view["steps"]], [("look", "succeeded"), ("drain", "succeeded"), ("maintain", "succeeded"), ("back", "succeeded")])
    assert "unschedulable" not in w.cluster.objects[("nodes", None, "n1")]["spec"]


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=WithCluster))
