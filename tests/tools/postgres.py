"""A PostgreSQL server of a test's own: Debian's, in a folder of its own, on a free port and a socket in that folder, as the user postgres where the test is root."""
import glob, os, shutil, socket, subprocess, tempfile

import rungclient as r


def programs():
    """The folder of initdb and postgres, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return found[-1] if found else None


class Postgres:
    def __init__(self):
        # A suite's own folder is closed to other users.
        self.folder = tempfile.mkdtemp(prefix="rung-postgres-", dir="/tmp" if os.geteuid() == 0 else None)
        self.data = os.path.join(self.folder, "data")
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.folder, "postgres")
        os.chmod(self.folder, 0o755)
        self.password = "correct horse battery"
        with open(os.path.join(self.folder, "password"), "w") as f:
            f.write(self.password)
        if self.as_user:
            shutil.chown(f.name, "postgres")
        subprocess.run(self.as_user + [os.path.join(programs(), "initdb"), "--pgdata=" + self.data, "--auth=scram-sha-256", "--auth-local=trust", "--username=postgres",
                                       "--pwfile=" + f.name, "--no-sync", "--locale=C.UTF-8"], check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(self.as_user + [os.path.join(programs(), "postgres"), "-D", self.data, "-p", str(self.port), "-k", self.folder, "-c", "listen_addresses=127.0.0.1",
                                                        "-c", "fsync=off"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd="/")
        r.deadline(60, "PostgreSQL to answer", lambda: self.psql("SELECT 1", check=False).returncode == 0, 0.05)

    def argv(self, sql):
        return ["psql", "--no-psqlrc", "-qAt", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", "postgres", "-c", sql]

    def psql(self, sql, check=True):
        return subprocess.run(self.argv(sql), check=check, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def begin(self, *statements):
        """A session that goes on: its process. Each statement is sent at once."""
        p = subprocess.Popen(self.argv("")[:-2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        p.stdin.write("".join(s + ";\n" for s in statements))
        p.stdin.flush()
        return p

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
