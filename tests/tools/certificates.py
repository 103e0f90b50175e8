"""A certificate authority of a test's own."""
import os, shutil, subprocess, tempfile, time


class Certificates:
    """A CA of its own (.ca: what trusts it), and certificates it signs: (certificate, key) paths, as Httpd(tls=) and clients take them."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="certificates-")
        self.ca, self.ca_key = self.path("ca.crt"), self.path("ca.key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.ca_key, "-out", self.ca, "-subj", "/CN=Test CA", "-days", "2")
        with open(self.path("ca.cnf"), "w") as f:
            f.write("[ca]\ndefault_ca = here\n[here]\ndatabase = %s\nrand_serial = yes\nnew_certs_dir = %s\ndefault_md = sha256\nunique_subject = no\npolicy = any\n"
                    "copy_extensions = copy\n[any]\ncommonName = supplied\n" % (self.path("index"), self.folder))
        open(self.path("index"), "w").close()
        self.made = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl"] + list(arguments), check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def server(self, *names, expired=False, not_yet=False, self_signed=False):
        """For these names and addresses. expired, not_yet: its dates are over, or not come."""
        san = ",".join(("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n for n in names)
        return self.make(names[0], "subjectAltName=" + san, (-20, -10) if expired else (10, 20) if not_yet else (-1, 2), self_signed)

    def client(self, name):
        return self.make(name, "extendedKeyUsage=clientAuth", (-1, 2), False)

    def make(self, name, extension, days, self_signed):
        self.made += 1
        certificate, key, asked = (self.path("%d.%s" % (self.made, end)) for end in ("crt", "key", "csr"))
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/CN=" + name, "-addext", extension]
        if self_signed:
            self.openssl(*new, "-x509", "-days", "2", "-out", certificate)
            return certificate, key
        self.openssl(*new, "-out", asked)
        start, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400)) for d in days)
        self.openssl("ca", "-batch", "-notext", "-config", self.path("ca.cnf"), "-cert", self.ca, "-keyfile", self.ca_key, "-in", asked, "-out", certificate, "-startdate", start, "-enddate", end)
        return certificate, key

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
