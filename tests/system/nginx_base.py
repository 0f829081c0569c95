# SPDX-License-Identifier: GPL-3.0-or-later
"""What every nginx of the tests and of ./bench has in common."""
import os
import socket
import ssl


def conf(folder, body, files=512):
    """nginx.conf: one worker, in the foreground, everything in the folder.
    body is what stands in http{}; files: connections, and descriptors."""
    return f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {files}; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {body}
}}
"""


def serves(port):
    """Whether a TLS handshake succeeds.  The port is open before the worker
    is there, and a worker told to end before it listens to its master stays
    for ever: nothing may stop nginx before this was true."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            with tls.wrap_socket(raw):
                return True
    except OSError:
        return False
