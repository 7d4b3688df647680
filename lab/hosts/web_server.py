"""A web server that answers every request with the client's address, and prints it as well."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        client = self.client_address[0].replace("::ffff:", "", 1)
        print(client, flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{client}\n".encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet: the address above is all that is wanted."""


class DualStackServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6  # takes IPv4 as well, as mapped addresses


if __name__ == "__main__":
    DualStackServer(("::", 80), Answer).serve_forever()
