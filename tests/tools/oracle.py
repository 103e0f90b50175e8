"""The oracle outside: commands of a book append their key to a file, and that file judges what the journal says. What the suites share that kill and stop engines."""
import json, os, sqlite3


class Journal:
    """An execution's records as they are stored, read beside the engine: also while there is none. key_of(script) gives the key that a command appends, or None."""

    def __init__(self, state, execution, key_of):
        self.path, self.execution, self.key_of = os.path.join(state, "store.db"), execution, key_of
        self.records, self.keys, self.last = [], {}, -1

    def read(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.path, uri=True, timeout=20)
        try:
            for seq, line in db.execute("SELECT seq, line FROM record WHERE execution = ? AND seq > ? ORDER BY seq", (self.execution, self.last)).fetchall():
                record = json.loads(line)
                self.last = seq
                self.records.append(record)
                if record["k"] == "call.started" and record["d"]["module"] == "sh":
                    self.intent(db, record)
        finally:
            db.close()
        return self.records

    def intent(self, db, record):
        name = bytes.fromhex(record["d"]["arguments"].split(":")[1])
        (text,) = db.execute("SELECT bytes FROM blob WHERE name = ?", (name,)).fetchone()
        key = self.key_of(json.loads(text)["arguments"]["argv"][-1])
        if key:
            self.keys[(record["s"], record["a"], record["c"])] = (key, record["d"]["effect"])

    def check_leases(self):
        """Each taking over has the next epoch, and every record says the one that it was written under."""
        epoch = 1
        for x in self.records:
            epoch += x["k"] == "execution.resumed" and x["d"].get("why") == "engine_ended"
            assert x.get("e", epoch) == epoch, "record %d (%s) has epoch %r, epoch %d holds the lease" % (x["seq"], x["k"], x["e"], epoch)

    def of(self, *kinds):
        return [x for x in self.records if x["k"] in kinds]

    def known(self):
        return {key for key, effect in self.keys.values()}


def alive(execution):
    """What runs of an execution's commands, as (pid, start): they carry its id in their environment."""
    out, mark = set(), ("RUNG_EXECUTION=%s" % execution).encode()
    for p in os.listdir("/proc"):
        if not p.isdigit():
            continue
        try:
            with open("/proc/%s/environ" % p, "rb") as f:
                if mark not in f.read():
                    continue
            with open("/proc/%s/stat" % p) as f:
                out.add((int(p), f.read().rsplit(")", 1)[1].split()[19]))
        except OSError:
            pass
    return out
