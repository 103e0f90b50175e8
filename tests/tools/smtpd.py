"""An SMTP server for tests (RFC 5321) that takes mail, and hangs, drops, lies or refuses where it is told to. A thread a connection, nothing but the standard library.

    with Smtpd() as server:                             server.port
        server.mails                                    what was taken: sender, recipients, data (bytes), message (email.message), is_tls, user
    with Certificates() as c, Smtpd(tls=c.server("localhost")) as server:     offers STARTTLS; implicit=True: TLS from the first byte
    Smtpd(users={"rung": "password"})                   demands AUTH PLAIN or LOGIN
    server.at["data.end"] = "hang"                      what it does in place of answering: "hang", "drop", "garbage", "endless", "long", or the answer, as "451 4.3.0 later"
                                                        stages: greeting, ehlo, starttls, auth, mail, rcpt, data, data.end, quit"""
import base64, email, email.policy, socket, ssl, threading


class Gone(Exception):
    pass


class Mail:
    def __init__(self, sender, recipients, data, is_tls, user):
        self.sender, self.recipients, self.data, self.is_tls, self.user = sender, recipients, data, is_tls, user
        self.message = email.message_from_bytes(data, policy=email.policy.default)

    @property
    def text(self):
        return self.message.get_content()


class Session:
    def __init__(self, server, sock):
        self.server, self.sock, self.buffer, self.is_tls, self.user = server, sock, b"", False, None
        self.sender, self.recipients = None, []

    def run(self):
        try:
            if self.server.context and self.server.implicit:
                self.secure()
            self.answer("greeting", "220 mail.test ESMTP")
            while True:
                self.command(self.line())
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.sock.close()

    def secure(self):
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.is_tls = True

    def until_closed(self):
        while self.sock.recv(65536):
            pass
        raise Gone()

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, stage, text):
        said = self.server.at.get(stage)
        self.server.stages.append(stage)
        if said == "hang":
            self.until_closed()
        if said == "drop":
            raise Gone()
        if said == "garbage":
            self.send(b"\x00\xff\xfe{}[]<html>\r\n\x1b[2J" * 40 + b"\r\n")
            self.until_closed()
        while said == "endless":
            self.send(b"250-and more\r\n" * 1000)
        while said == "long":
            self.send(b"x" * 65536)
        self.send((said or text).encode() + b"\r\n")
        return said is None

    def line(self):
        while b"\r\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise Gone()
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def command(self, line):
        word = line.split(" ")[0].upper()
        getattr(self, "do_" + word.lower(), self.unknown)(line)

    def unknown(self, line):
        self.answer("unknown", "502 5.5.2 not known")

    def do_ehlo(self, line):
        more = []
        if self.server.context and not self.is_tls:
            more.append("STARTTLS")
        if self.server.users:
            more.append("AUTH PLAIN LOGIN")
        lines = ["mail.test"] + more + ["8BITMIME"]
        self.answer("ehlo", "\r\n".join("250%s%s" % ("-" if i + 1 < len(lines) else " ", l) for i, l in enumerate(lines)))

    do_helo = do_ehlo

    def do_starttls(self, line):
        if self.answer("starttls", "220 go on"):
            self.buffer = b""
            self.secure()

    def do_auth(self, line):
        words = line.split(" ")
        if words[1].upper() == "PLAIN":
            text = words[2] if len(words) > 2 else self.challenge("")
            user, password = base64.b64decode(text).split(b"\0")[1:3]
        else:
            user = base64.b64decode(words[2] if len(words) > 2 else self.challenge("VXNlcm5hbWU6"))
            password = base64.b64decode(self.challenge("UGFzc3dvcmQ6"))
        if self.server.users.get(user.decode()) != password.decode():
            return self.answer("auth", "535 5.7.8 no such user or password")
        self.user = user.decode()
        self.answer("auth", "235 2.7.0 fine")

    def challenge(self, text):
        self.send(("334 " + text + "\r\n").encode())
        return self.line()

    def do_mail(self, line):
        if self.server.users and not self.user:
            return self.answer("mail", "530 5.7.0 log in first")
        self.sender, self.recipients = line[len("MAIL FROM:"):].split(">")[0].strip(" <"), []
        self.answer("mail", "250 2.1.0 fine")

    def do_rcpt(self, line):
        self.recipients.append(line[len("RCPT TO:"):].split(">")[0].strip(" <"))
        self.answer("rcpt", "250 2.1.5 fine")

    def do_data(self, line):
        if not self.answer("data", "354 go on"):
            return
        lines = []
        while True:
            line = self.line()
            if line == ".":
                break
            lines.append(line[1:] if line.startswith(".") else line)
        data = "\r\n".join(lines + [""]).encode("latin-1")
        if self.server.at.get("data.end", "2")[0] == "2" or self.server.takes_anyway:
            with self.server.lock:
                self.server.mails.append(Mail(self.sender, self.recipients, data, self.is_tls, self.user))
        self.answer("data.end", "250 2.0.0 taken")

    def do_rset(self, line):
        self.answer("rset", "250 2.0.0 fine")

    def do_noop(self, line):
        self.answer("noop", "250 2.0.0 fine")

    def do_quit(self, line):
        self.answer("quit", "221 2.0.0 bye")
        raise Gone()


class Smtpd:
    def __init__(self, tls=None, implicit=False, users=None, takes_anyway=False):
        self.at, self.mails, self.stages, self.users, self.implicit, self.takes_anyway = {}, [], [], users or {}, implicit, takes_anyway
        self.lock, self.sockets, self.context = threading.Lock(), [], None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(sock)
            threading.Thread(target=Session(self, sock).run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        # A listener that is only closed stays open while a thread waits in it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
