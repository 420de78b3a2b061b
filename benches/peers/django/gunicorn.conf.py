"""How Django is served: a process a core, with threads, because only those keep connections open."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
workers = os.cpu_count()
worker_class = "gthread"
threads = 4
# It would stand in the home folder.
control_socket_disable = True
