"""How gunicorn runs, here and in the container image. The address is given where it is started."""

import signal
import sys
from typing import Any

from readiness import collector
from readiness import environment as env
from readiness.up.lineage import die_with_parent

wsgi_app = "readiness.wsgi:application"
worker_class = "gthread"
workers = env.number("READINESS_WEB_PROCESSES", 2)
threads = env.number("READINESS_WEB_THREADS", 8)
preload_app = True  # loaded once: a quicker start, and memory shared between the processes
control_socket_disable = True
timeout = 60
graceful_timeout = 10
keepalive = 5
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(M)sms'
forwarded_allow_ips = env.text("READINESS_PROXY_IPS", "127.0.0.1,::1")


def when_ready(server: Any) -> None:
    """The application is loaded, nothing is served yet. The checks' database connection must not reach the workers."""
    from django.urls import get_resolver  # these need settings, which gunicorn has only now

    from readiness.checks import refuse_nonsense

    refuse_nonsense()
    _ = get_resolver().url_patterns  # every view is loaded now, and not with somebody's first request
    collector.settle()  # before the processes are forked, so that they go on sharing what is loaded


def post_fork(server: Any, worker: Any) -> None:
    die_with_parent(signal.SIGKILL, parent=worker.ppid)
    # A thread that comes back from the database waits this long for one that computes. An answer of the gate comes back
    # twenty times, while a batch of spans computes for a tenth of a second: Python's 5 ms each time would add up.
    sys.setswitchinterval(0.001)
