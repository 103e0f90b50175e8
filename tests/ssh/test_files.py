#!/usr/bin/env python3
"""Files on other hosts: whole or not there, below one folder, with the right that names them.

limit: 120
"""
import os, stat, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from fleet import Fleet
from host import read, run_host_tests
from world import same

BOTH = ("ssh *@t0 put /tmp/**", "ssh *@t0 get /tmp/**")


class Files(Fleet):
    def __enter__(self):
        super().__enter__()
        self.root = self.path("files")
        os.makedirs(self.root + "/sub")
        self.engine.say(read(self.engine.config).replace("ssh:\n", "ssh:\n  files: %s\n" % self.root))
        return self

    def put(self, path, content="'x'", options="", **more):
        return self.result("ssh.put('t0', '%s', %s%s) or true" % (path, content, options and ", " + options), permissions=more.pop("permissions", BOTH), **more)

    def refused(self, source, state="failed"):
        return self.why(source, state=state, permissions=BOTH)


def test_a_file_is_put_with_its_mode_and_got_again():
    with Files() as f:
        path = f.root + "/sub/motd"
        f.put(path, "'it\\'s $HOME\\n'")
        same((read(path), stat.S_IMODE(os.stat(path).st_mode)), ("it's $HOME\n", 0o644))
        f.put(path, "{template = 'port {{port}} {{ name }}', values = {port = 80, name = 'a'}}", "{mode = '0600'}")
        same((read(path), stat.S_IMODE(os.stat(path).st_mode)), ("port 80 a", 0o600))
        same(f.result("ssh.get('t0', '%s')" % path, permissions=BOTH), "port 80 a")
        same(f.result("(function() local long = ('x'):rep(300000) ssh.put('t0', '%s', long) return ssh.get('t0', '%s') == long end)()" % (path, path), permissions=BOTH), True)
        same(os.listdir(f.root + "/sub"), ["motd"])
        f.put(path, "''")
        same(read(path), "")


def test_the_right_names_verb_and_path():
    with Files() as f:
        path = f.root + "/motd"
        for pattern, fine in (("ssh *@t0 put %s" % path, True), ("ssh *@t0 put %s/*" % f.root, True), ("ssh *@t0 put %s/**" % f.root, True), ("ssh *@t0 get %s" % path, False), ("ssh *@t1 put %s" % path, False),
                              ("ssh *@t0 put %s/sub/*" % f.root, False), ("ssh *@t0 put /tmp/*", False), ("ssh *@* -- **", False), ("ssh *@* as * -- **", False)):
            v = f.over(f.run(f.of("ssh.put('t0', '%s', 'x')" % path, permissions=(pattern,))))
            same((pattern, v["steps"][0]["state"]), (pattern, "succeeded" if fine else "denied"))
        v = f.over(f.run(f.of("ssh('t0', {'echo', 'x'})", permissions=("ssh *@t0 put /**",))))
        same(v["steps"][0]["state"], "denied")


def test_nothing_leads_out_of_the_folder():
    with Files() as f:
        os.symlink("/tmp", f.root + "/out")
        os.symlink(f.root + "/sub", f.root + "/in")
        os.symlink("/etc/hostname", f.root + "/name")
        for path, why in ((f.root + "/../x", "not in its one spelling"), (f.root + "/./x", "not in its one spelling"), (f.path("x"), "is not below"), ("motd", "not absolute"), (f.root + "s/x", "is not below"),
                          (f.root + "/out/x", "leads out of"), (f.root + "/name", "is a symbolic link"), (f.root + "/none/x", "the folder of"), (f.root + "/sub", "is a folder"), (f.root, "is not below")):
            said = f.refused("ssh.put('t0', '%s', 'x')" % path)
            assert why in said, (path, said)
        f.put(f.root + "/in/x")
        same(read(f.root + "/sub/x"), "x")
        assert "is a symbolic link" in f.refused("return {v = ssh.get('t0', '%s/name')}" % f.root)
        assert "is no file" in f.refused("return {v = ssh.get('t0', '%s/sub')}" % f.root)
        assert "8 MiB can be got" in (open(f.root + "/big", "wb").truncate(9 << 20) and "" or f.refused("return {v = ssh.get('t0', '%s/big')}" % f.root))
        assert "values has no text or number of that name" in f.refused("ssh.put('t0', '%s/x', {template = '{{a}}'})" % f.root)
        assert "mode must be octal digits" in f.refused("ssh.put('t0', '%s/x', 'x', {mode = '9999'})" % f.root)
        f.engine.say(read(f.engine.config).replace("  files: %s\n" % f.root, ""))
        assert "write ssh: {files: /srv/rung}" in f.refused("ssh.put('t0', '%s/x', 'x')" % f.root)


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
