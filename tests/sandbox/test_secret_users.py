"""Secrets where commands have another user: the engine reads the files, and that user's commands find a value nowhere. Takes root, to be two users; what is about
another user runs the release build.

limit: 120 build: release
"""
import hashlib, os, pwd, random, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from host import AS_OTHER, CAPABILITIES, OTHER, OWNER, Host, everything_stored, memory_of, needs_root, run_host_tests
from world import same

VALUE = "tangerine-Wq7-lighthouse"
DIGEST = hashlib.md5(VALUE.encode()).hexdigest()  # what a book may say of it
# A long one, of which freed memory would still show pieces: short ones are soon written over by chance.
LONG = "".join(random.Random(20261122).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20000))
PIECES = [VALUE.encode()] + [LONG[i:i + 40].encode() for i in range(0, len(LONG) - 40, 200)]
PERMISSIONS = ("sh sh -c *", "sh python3 **", "secret *")
# The engine as root, and as a user with the three capabilities that another user for commands takes.
ENGINES = ({}, {"as_user": OWNER, "capabilities": CAPABILITIES})

# What a command can try: the file itself, and whatever any process shows. The value comes backwards, so that it does not find itself.
SEARCH = r'''
import os, sys
value = sys.argv[2][::-1].encode()
def look(path, spans=(None,)):
    try:
        with open(path, "rb", 0) as f:
            for span in spans:
                try:
                    if span: f.seek(span[0])
                    data = f.read(span[1] - span[0]) if span else f.read(1 << 20)
                except (OSError, ValueError, OverflowError):
                    continue
                if value in data: print("found", path)
    except OSError:
        pass
look(sys.argv[1])
for pid in sys.argv[3:] or os.listdir("/proc"):
    if not pid.isdigit() or int(pid) == os.getpid(): continue
    look("/proc/%s/environ" % pid)
    look("/proc/%s/cmdline" % pid)
    try:
        maps = [l.split() for l in open("/proc/%s/maps" % pid)]
    except OSError:
        continue
    spans = [tuple(int(x, 16) for x in m[0].split("-")) for m in maps if m[1].startswith("rw")]
    look("/proc/%s/mem" % pid, [s for s in spans if s[1] - s[0] <= 64 << 20])
print("looked as", os.getuid())
'''


def secret_file(h, name, text=VALUE + "\n", owner=None, mode=0o600):
    """A file of the engine's user, or of another one."""
    path = h.path(name)
    with open(path, "w") as f:
        f.write(text)
    user = pwd.getpwnam(owner) if owner else h.owner
    if user:
        os.chown(path, user.pw_uid, user.pw_gid)
    os.chmod(path, mode)
    return path


def secrets(h, *lines):
    secret_file(h, ".rung/secrets.yaml", "version: 1\nsecrets:\n" + "".join("  %s\n" % l for l in lines), mode=0o644)


def search(h, path, *pids):
    """A step that looks for the value as a command, in all processes or in these."""
    with open(h.path("search.py"), "w") as f:
        f.write(SEARCH)
    return 'return {out = sh{%s}.stdout}' % ", ".join('"%s"' % word for word in ("python3", h.path("search.py"), path, VALUE[::-1]) + pids)


def uses(command):
    return 'local r = sh({"sh", "-c", [==[%s]==]}, {env = {A = secret "db"}, stdin = secret "db"}) return {out = r.stdout, redacted = r.redacted}' % command


def a_file_of_the_engine_reaches_its_call_and_no_other_command():
    needs_root()
    for engine in ENGINES:
        with Host(AS_OTHER, **engine).start() as h:
            path = secret_file(h, "db")
            secret_file(h, "long", LONG)
            secrets(h, "db: {file: db}", "long: {file: long}")
            many = 'for i = 1, 20 do sh({"sh", "-c", "wc -c"}, {stdin = secret "long"}) end'
            x = h.run(h.lua(many, uses('id -un; [ "$A" = "$(cat)" ] && printf %%s "$A" | md5sum | grep -q %s && echo "got $A"' % DIGEST), search(h, path), 'ask{prompt = "on?"}', permissions=PERMISSIONS))
            h.waits(x, "s3", "answer")
            v = h.view(x)
            same(v["steps"][1]["result"], {"out": "%s\ngot [secret db]\n" % OTHER, "redacted": True})
            same(v["steps"][2]["result"], {"out": "looked as %d\n" % pwd.getpwnam(OTHER).pw_uid})
            # Nothing of it stayed in the engine, nor beside the actor, nor in what is stored, while the execution goes on and when it is over.
            for pid in [h.engine.process.pid] + [p for p in h.engine.children() if p != h.actor()]:
                memory = memory_of(pid)
                same((pid, sum(p in memory for p in PIECES)), (pid, 0))
            assert VALUE.encode() in memory_of(h.actor()), "the search finds nothing where there is something"
            h.client.ask("cancel", execution=x)
            h.over(x)
            same([place for place, data in everything_stored(h).items() if VALUE.encode() in data], [])


def what_can_be_had_is_found():
    """The search is one that finds: the engine's own user can read the file, and the engine, whose environment has the value here."""
    needs_root()
    with Host(environment={"RUNG_TEST_VALUE": VALUE}).start() as h:
        path, pid = secret_file(h, "db"), h.engine.process.pid
        v = h.over(h.run(h.lua(search(h, path, str(pid)), permissions=PERMISSIONS)))
        assert v["state"] == "succeeded", v["steps"][0]
        for place in (path, "/proc/%d/environ" % pid, "/proc/%d/mem" % pid):
            assert "found %s\n" % place in v["steps"][0]["result"]["out"], (place, v["steps"][0])


def why(h, name):
    v = h.over(h.run(h.lua('sh({"sh", "-c", "true"}, {env = {A = secret "%s"}})' % name, permissions=PERMISSIONS)))
    same(v["state"], "failed")
    assert VALUE not in v["steps"][0]["why"], v["steps"][0]["why"]
    return v["steps"][0]["why"]


def a_file_that_others_have_a_hand_in_is_refused():
    needs_root()
    with Host(AS_OTHER).start() as h:
        secret_file(h, "theirs", owner=OTHER)
        secret_file(h, "open", mode=0o640)
        secret_file(h, "short", "seven77\n")
        secret_file(h, "long", "x" * (1 << 17))
        os.symlink(secret_file(h, "db"), h.path("link"))
        os.mkdir(h.path("folder"))
        secret_file(h, "folder/in")
        os.chown(h.path("folder"), pwd.getpwnam(OTHER).pw_uid, 0)
        secrets(h, *("%s: {file: %s}" % (n, n) for n in ("theirs", "open", "short", "long", "link", "gone")), "in: {file: folder/in}")
        assert "belongs to another user" in why(h, "theirs")
        assert "chmod 600" in why(h, "open")
        assert "fewer than 8 bytes" in why(h, "short")
        assert "longer than 64 KiB" in why(h, "long")
        assert "symbolic link" in why(h, "link")
        assert "others can change" in why(h, "in")
        assert h.path("gone") in why(h, "gone")


def what_an_earlier_command_wrote_is_taken_out_after_a_crash_too():
    needs_root()
    with Host(AS_OTHER).start() as h:
        secret_file(h, "db")
        secrets(h, "db: {file: db}")
        os.mkdir(h.path("out"))
        os.chmod(h.path("out"), 0o777)
        x = h.run(h.lua(uses('printf %%s "$A" > %s' % h.path("out/written")), 'ask{prompt = "on?"}', 'return {out = sh{"cat", "%s"}.stdout}' % h.path("out/written"),
                        permissions=PERMISSIONS + ("sh cat *",)))
        h.waits(x, "s1", "answer")
        h.restart()
        h.client.ask("resume", execution=x)
        h.waits(x, "s1", "answer")
        h.client.ask("answer", execution=x, step="s1", call=h.view(x)["questions"][0]["call"], value="yes")
        v = h.over(x)
        same((v["state"], v["steps"][2]["result"]), ("succeeded", {"out": "[secret db]"}))


def the_list_is_none_that_the_commands_user_can_write():
    """It says which files the engine reads: who could write it could have any of them."""
    needs_root()
    group = ["setpriv", "--regid", OTHER, "--clear-groups"]
    for config, said in (("version: 1\n", None), (AS_OTHER, "can be written by")):
        with Host(config, prefix=group).start() as h:
            secret_file(h, "db")
            secrets(h, "db: {file: db}")
            os.chown(h.path(".rung/secrets.yaml"), 0, pwd.getpwnam(OTHER).pw_gid)
            os.chmod(h.path(".rung/secrets.yaml"), 0o664)
            if said:
                assert said in why(h, "db")
            else:
                same(h.over(h.run(h.lua(uses("true"), permissions=PERMISSIONS)))["state"], "succeeded")


def a_command_that_prints_a_value_runs_as_the_commands_user():
    """So that user's other commands could run it, too; engine/sandbox/README.md says so."""
    needs_root()
    with Host(AS_OTHER).start() as h:
        secrets(h, 'db: {command: [sh, -c, "echo printed-by-$(id -un)"]}')
        v = h.over(h.run(h.lua(uses('[ "$A" = printed-by-%s ] && echo yes' % OTHER), permissions=PERMISSIONS)))
        same((v["state"], v["steps"][0]["result"]), ("succeeded", {"out": "yes\n"}))


TESTS = [a_file_of_the_engine_reaches_its_call_and_no_other_command, what_can_be_had_is_found, a_file_that_others_have_a_hand_in_is_refused,
         what_an_earlier_command_wrote_is_taken_out_after_a_crash_too, the_list_is_none_that_the_commands_user_can_write,
         a_command_that_prints_a_value_runs_as_the_commands_user]


if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
