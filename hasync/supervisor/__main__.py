"""Turns a process into the supervisor: ``python -P .../__main__.py PLAN_FD WORKER_COMMAND...``.

``hasync run`` replaces itself by this once its settings are known to be good, so that
the supervisor has none of the libraries that reading them takes.
"""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)  # last of all: it must not shadow a library

from hasync.clock import SystemClock  # noqa: E402 - the path has to be there first
from hasync.cluster.access import Auth, Tls  # noqa: E402
from hasync.cluster.closing import SessionCloser  # noqa: E402
from hasync.model.secret import Password, SecretReference, Secrets  # noqa: E402
from hasync.supervisor.log import PlainLog  # noqa: E402
from hasync.supervisor.parent import Parent  # noqa: E402
from hasync.supervisor.plan import Ensemble, Plan  # noqa: E402


def main() -> int:
    """Read the plan, supervise, return the exit code."""
    with open(int(sys.argv[1]), "rb") as source:  # noqa: PTH123 - a descriptor
        plan = Plan.load(source.read())
    environ, clock = dict(os.environ), SystemClock()  # noqa: TID251 - handed on to the worker as it is
    parent = Parent(
        command=sys.argv[2:],
        environ=environ,
        limits=plan.limits,
        closer=_closer(plan.ensemble, Secrets(environ, lambda path: Path(path).read_text(encoding="utf-8"))),
        session_timeout_s=plan.ensemble.session_timeout_s,
        clock=clock,
        log=PlainLog(sys.stderr.buffer, clock, as_json=plan.as_json, member=plan.member),
    )
    return parent.run()


def _closer(ensemble: Ensemble, secrets: Secrets) -> SessionCloser:
    return SessionCloser(
        hosts=ensemble.hosts,
        session_timeout_s=ensemble.session_timeout_s,
        auth=Auth(scheme="digest", credential=_password(ensemble.auth, secrets)) if ensemble.auth else None,
        tls=_tls(ensemble, secrets) if ensemble.ca else None,
    )


def _tls(ensemble: Ensemble, secrets: Secrets) -> Tls:
    key_password = _password(ensemble.key_password, secrets) if ensemble.key_password else ""
    return Tls(ca=ensemble.ca, cert=ensemble.cert, key=ensemble.key, key_password=key_password)


def _password(reference: str, secrets: Secrets) -> Password:
    """Return what reads a secret when it is needed: it may be another one by then, or missing (the worker says so)."""
    return Password(reference, lambda: secrets.resolve(SecretReference.parse(reference)))


if __name__ == "__main__":
    sys.exit(main())
