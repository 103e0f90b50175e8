"""Names that resolve to what a test says, and to something else the next time: a DNS server on loopback, and what goes before a command so that it asks that one alone.

    with Names({"web.test": ["127.0.0.2"], "rebind.test": [["192.0.2.1"], ["127.0.0.1"]], "silent.test": None}) as names:
        subprocess.run(names.prefix + ["curl", ...])      or Host(prefix=names.prefix): its engine, and all that this starts
        names.asked["web.test"]                           how often it was asked for addresses

A list of addresses is every answer; a list of lists is one answer after another, the last for all further; None: no answer comes. Other names do not exist. Nothing is
remembered (time to live 0). It takes root, for the mount namespace in which resolv.conf, nsswitch.conf and hosts are others."""
import os, shutil, socket, struct, tempfile, threading

A, AAAA, NAME_ERROR = 1, 28, 3


class Names:
    def __init__(self, table, hosts=""):
        self.table, self.asked, self.lock = table, {}, threading.Lock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bind()
        self.folder = tempfile.mkdtemp(prefix="names-")
        over = {"/etc/resolv.conf": "nameserver %s\noptions timeout:1 attempts:2\n" % self.address, "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
                "/etc/hosts": "127.0.0.1 localhost\n" + hosts}
        script = ""
        for theirs, text in over.items():
            ours = os.path.join(self.folder, os.path.basename(theirs))
            with open(ours, "w") as f:
                f.write(text)
            os.chmod(ours, 0o644)
            script += "mount --bind %s $(readlink -f %s) && " % (ours, theirs)
        os.chmod(self.folder, 0o755)
        self.prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "-"]
        threading.Thread(target=self.serve, daemon=True).start()

    def bind(self):
        """resolv.conf knows no ports: an address of loopback where 53 is free."""
        for n in range(1, 255):
            self.address = "127.0.53.%d" % n
            try:
                return self.socket.bind((self.address, 53))
            except PermissionError:
                raise
            except OSError:
                pass
        raise RuntimeError("port 53 is taken on all of 127.0.53.*")

    def serve(self):
        while True:
            try:
                query, who = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, who)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
            at += 1 + query[at]
        question, kind = query[12:at + 5], struct.unpack(">H", query[at + 1:at + 3])[0]
        known, addresses = self.addresses(".".join(labels).lower(), kind)
        if addresses is None:
            return None
        records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(a)) + a for a in addresses)
        flags = 0x8580 if known else 0x8580 | NAME_ERROR
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0) + question + records

    def addresses(self, name, kind):
        """(whether the name exists, packed addresses of that kind; None: say nothing). Each kind is counted by itself: a resolver asks for both."""
        if name not in self.table:
            return False, []
        said = self.table[name]
        with self.lock:
            turn = self.asked.setdefault((name, kind), 0)
            self.asked[(name, kind)] = turn + 1
            self.asked[name] = max(self.asked[k] for k in ((name, A), (name, AAAA)) if k in self.asked) if kind in (A, AAAA) else self.asked.get(name, 0)
        if said is None:
            return True, None
        if said and isinstance(said[0], list):
            said = said[min(turn, len(said) - 1)]
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        return True, [socket.inet_pton(family, x) for x in said if family and (":" in x) == (kind == AAAA)]

    def stop(self):
        self.socket.sendto(b"", (self.address, 53))
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
