"""A bad wire: a TCP connection on loopback that goes on to a server, and is cut, stopped or slowed where a test says so.

    with BadWire("127.0.0.2", 22022) as wire:    wire.address, wire.port stand before the server
        wire.cut()                               every connection is reset now; new ones work
        wire.hold(); wire.release()              nothing goes through, nothing is closed, as if the network were gone
    BadWire(..., cut_after=4000)                 each connection is reset once the server has sent 4,000 bytes
    BadWire(..., bytes_a_second=1)               what the server sends comes that slowly
    BadWire(..., refuse=True)                    connections are reset as soon as they are there"""
import select, socket, struct, threading, time

HELD_MAX = 1 << 16  # bytes on the wire in one direction


class BadWire:
    """In front of a server at address:port, on a port of its own. count: connections so far; sent: bytes of the server that went through."""

    def __init__(self, address, port, at="127.0.0.1", cut_after=None, bytes_a_second=None, refuse=False):
        self.server, self.cut_after, self.bytes_a_second, self.refuse = (address, port), cut_after, bytes_a_second, refuse
        self.listener = socket.create_server((at, 0), backlog=1024)
        self.address, self.port = self.listener.getsockname()
        self.lines, self.lock, self.held = set(), threading.Lock(), False
        self.count = self.sent = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self):
        """Returns when all are reset: how many connections that were."""
        with self.lock:
            lines = list(self.lines)
        for line in lines:
            line.wake(b"c")
        for line in lines:
            line.thread.join()
        return len(lines)

    def hold(self, held=True):
        with self.lock:
            self.held = held
            for line in self.lines:
                line.wake(b"h")

    def release(self):
        self.hold(False)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.count += 1
            try:
                if self.refuse:
                    raise OSError()
                Line(self, client, socket.create_connection(self.server))
            except OSError:
                reset(client)


class Line:
    """One connection: client and server, what waits to be sent to each, and who has closed."""

    def __init__(self, wire, client, server):
        self.wire, self.client, self.server, self.sent, self.next = wire, client, server, 0, 0.0
        self.pending, self.ended = {client: b"", server: b""}, set()
        self.woken, self.waker = socket.socketpair()
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.setblocking(False)
        self.thread = threading.Thread(target=self.run, daemon=True)
        with wire.lock:
            wire.lines.add(self)
            self.thread.start()

    def wake(self, why):
        try:
            self.waker.send(why)
        except OSError:
            pass

    def other(self, s):
        return self.server if s is self.client else self.client

    def run(self):
        try:
            while self.carry():
                pass
        except OSError:
            pass
        with self.wire.lock:
            self.wire.lines.discard(self)
        for s in (self.client, self.server):
            # An end that both sides agreed to is no reset.
            s.close() if len(self.ended) == 2 else reset(s)
        self.woken.close()
        self.waker.close()

    def carry(self):
        """One round; False when the connection is over."""
        reads, writes, wait = [self.woken], [], None
        if not self.wire.held:
            reads += [s for s in self.pending if s not in self.ended and len(self.pending[self.other(s)]) < HELD_MAX]
            writes = [s for s, bytes in self.pending.items() if bytes]
            late = self.next - time.monotonic()
            if self.client in writes and late > 0:
                writes.remove(self.client)
                wait = late
        readable, writable, _ = select.select(reads, writes, [], wait)
        if self.woken in readable and self.woken.recv(1) == b"c":
            return False
        if self.wire.held:
            return True
        for s in readable:
            if s is not self.woken:
                self.take(s)
        return all(self.give(s) for s in writable) and not (len(self.ended) == 2 and not any(self.pending.values()))

    def take(self, s):
        got = s.recv(HELD_MAX)
        self.pending[self.other(s)] += got
        if not got:
            self.ended.add(s)
            self.end(self.other(s))

    def give(self, s):
        most = HELD_MAX
        if s is self.client and self.wire.bytes_a_second:
            most, self.next = 1, time.monotonic() + 1 / self.wire.bytes_a_second
        if s is self.client and self.wire.cut_after is not None:
            most = min(most, self.wire.cut_after - self.sent)
        n = s.send(self.pending[s][:most])
        self.pending[s] = self.pending[s][n:]
        if s is self.client:
            self.sent += n
            self.wire.sent += n
            if self.sent == self.wire.cut_after:
                return False
        self.end(s)
        return True

    def end(self, s):
        """Says the end to one side once the other has said it and all is delivered."""
        if self.other(s) in self.ended and not self.pending[s]:
            s.shutdown(socket.SHUT_WR)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
