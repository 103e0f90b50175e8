"""The table that all processes of a test build share (engine/base/failpoint.h): what they passed, and what shall happen where."""
import mmap, os, struct, subprocess

ROW = struct.Struct("=4I")  # passed, action, at, pid
ACTIONS = {"fail": 1, "stop": 2, "die": 3}


class Table:
    def __init__(self, path, program):
        said = subprocess.run([program, "failpoints"], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout
        self.places = [line.split("\t") for line in said.splitlines()]
        self.index = {name: i for i, (name, _, _) in enumerate(self.places)}
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(mmap.PAGESIZE * (1 + len(self.places) * ROW.size // mmap.PAGESIZE)))
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), 0)

    def row(self, name):
        return ROW.unpack_from(self.memory, self.index[name] * ROW.size)

    def may_fail(self, name):
        return self.places[self.index[name]][1] == "fail"

    def passed(self):
        """How often each place was passed since clear()."""
        return {name: self.row(name)[0] for name, _, _ in self.places}

    def clear(self):
        self.memory[:] = bytes(len(self.memory))

    def ask(self, name, action, at):
        at_byte = self.index[name] * ROW.size
        struct.pack_into("=I", self.memory, at_byte + 8, at)
        struct.pack_into("=I", self.memory, at_byte + 12, 0)
        struct.pack_into("=I", self.memory, at_byte + 4, ACTIONS[action])

    def disarm(self, name):
        """What was asked for and has not happened does not happen."""
        struct.pack_into("=I", self.memory, self.index[name] * ROW.size + 4, 0)

    def happened(self, name):
        """The process to which it happened; 0: not yet."""
        return self.row(name)[3]
