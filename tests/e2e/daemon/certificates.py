"""Certificates of an authority of our own, made by openssl."""

import shutil
import subprocess

UNABLE = None if shutil.which("openssl") else "openssl, which makes the certificates, is not there"


class Authority:
    """`certificate`: what clients are to trust."""

    def __init__(self, folder):
        self.folder = folder
        self._key, self.certificate = folder / "ca.key", folder / "ca.crt"
        self._openssl("req", "-x509", *self._new_key(self._key), "-out", self.certificate,
                      "-days", "2", "-subj", "/CN=Test authority")

    def _new_key(self, path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", path]

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, names="IP:127.0.0.1,DNS:localhost", days=2):
        """(certificate, key) of one that goes by these names, if any beside its own; with days
        below 0 it has expired."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extension = self.folder / f"{name}.crt", self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={names}\n" if names else "")
        self._openssl("req", *self._new_key(key), "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                      "-CAcreateserial", "-days", days, "-extfile", extension, "-out", certificate)
        return certificate, key
