"""Opens TLS as `host` with `address port` for each triple after the file of the authority, as strictly as Python can."""

import socket
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
for triple in sys.argv[2:]:
    host, address, port = triple.split(",")
    try:
        with socket.create_connection((address, int(port)), 10) as tcp:
            with context.wrap_socket(tcp, server_hostname=host) as tls:
                print(host, "ok" if tls.getpeercert() else "no certificate")
    except ssl.SSLError as refused:
        print(host, refused)
