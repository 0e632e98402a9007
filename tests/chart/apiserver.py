"""A stand-in for the Kubernetes API: discovery, a store, patches and watches; enough for helm, and nothing runs."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import kubernetes_validate
import yaml

from tests.chart.patches import merged, strategic
from tests.chart.protobuf import MAGIC, read_secret
from tests.chart.store import KINDS, Change, Key, Kind, Object, Store, wanted

VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]
WATCH_S: Final = 20.0
UNKNOWN_GROUP: Final = "monitoring.coreos.com"
"""Kinds of custom resources, whose schemas Kubernetes itself does not know."""


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class ApiServer:
    """Serves on a free port of the loopback until closed. ``version``: the Kubernetes that it claims to be."""

    def __init__(self, version: str = "1.34") -> None:
        self.version = version
        self.store = Store()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def kubeconfig(self) -> str:
        """Return a configuration for clients, as YAML."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        return yaml.safe_dump(document)

    # ---------------------------------------------------------------- documents

    def document(self, path: str) -> Object | None:
        """Return what discovery has at a path, None where it has nothing."""
        if path == "/version":
            return {"major": "1", "minor": self.version.split(".")[1], "gitVersion": f"v{self.version}.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in _groups()]}
        if path == "/openapi/v3":
            return {"paths": {where: {"serverRelativeURL": f"/openapi/v3/{where}"} for where in _roots()}}
        if path.startswith("/openapi/v3/"):
            return _openapi(_roots().get(path.removeprefix("/openapi/v3/"), ()))
        kinds = _roots().get(path.strip("/"))
        return _resources(kinds) if kinds else None

    # ------------------------------------------------------------------ objects

    def answer(self, method: str, key: Key, kind: Kind, request: "Request") -> tuple[int, Object]:
        """Do what a request about one object asks. Raises RefusedError."""
        now = self.store.get(key)
        if now is None and not (method == "PATCH" and request.applies):
            raise RefusedError(404, "NotFound", f'{kind.plural} "{key.name}" not found')
        match method:
            case "GET":
                return 200, now or {}
            case "DELETE":
                if not request.dry:
                    self.store.delete(key)
                return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
            case "PUT":
                return 200, self._keep(key, request.body, kind, request)
            case "PATCH":
                return 200 if now else 201, self._keep(key, request.patched(now), kind, request)
            case _:
                raise RefusedError(405, "MethodNotAllowed", method)

    def create(self, kind: Kind, namespace: str, request: "Request") -> Object:
        """Make an object. Raises RefusedError when it is there, or is not as its schema says."""
        key = Key(kind.name, namespace, request.body["metadata"]["name"])
        if self.store.get(key) is not None:
            raise RefusedError(409, "AlreadyExists", f'{kind.plural} "{key.name}" already exists')
        return self._keep(key, request.body, kind, request)

    def _keep(self, key: Key, content: Object, kind: Kind, request: "Request") -> Object:
        written = {name: value for name, value in content.items() if name != "status"}
        whole = {"apiVersion": kind.api, "kind": kind.name, **written}
        if kind.group != UNKNOWN_GROUP:
            try:
                kubernetes_validate.validate(whole, self.version, strict=True)
            except kubernetes_validate.ValidationError as invalid:
                raise RefusedError(422, "Invalid", f"{key.name}: {invalid.message}") from invalid
        before = self.store.get(key)
        if kind.name == "Job" and before and before["spec"] != whole["spec"]:
            raise RefusedError(422, "Invalid", f'Job "{key.name}" is invalid: spec.template: field is immutable')
        return self.store.put(key, content, kind, dry=request.dry)


class Request:
    """What a client sent: its query, and its content in plain values."""

    def __init__(self, query: Mapping[str, str], raw: bytes, content_type: str) -> None:
        self.query = query
        self.content_type = content_type
        self.dry = query.get("dryRun") == "All"
        self.applies = "apply-patch" in content_type
        self.body: Object = _read(raw) if raw else {}

    def patched(self, now: Object | None) -> Object:
        """Return what a patch makes of an object. One writer is all there is, so an apply is the whole object."""
        if self.applies or now is None:
            return self.body
        if "strategic" in self.content_type:
            return strategic(now, self.body)
        return dict(merged(now, self.body))


def _read(raw: bytes) -> Object:
    if not raw.startswith(MAGIC):
        return dict(yaml.safe_load(raw) if raw[:1] != b"{" else json.loads(raw))
    return read_secret(raw) if b"Secret" in raw[:64] else {}


def _groups() -> list[str]:
    return sorted({kind.group for kind in KINDS if kind.group})


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _roots() -> dict[str, tuple[Kind, ...]]:
    places: dict[str, tuple[Kind, ...]] = {}
    for kind in KINDS:
        place = f"apis/{kind.api}" if kind.group else f"api/{kind.api}"
        places[place] = (*places.get(place, ()), kind)
    return places


def _resources(kinds: tuple[Kind, ...]) -> Object:
    resources = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "kind": kind.name,
            "namespaced": kind.namespaced,
            "verbs": VERBS,
        }
        for kind in kinds
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kinds[0].api, "resources": resources}


def _openapi(kinds: tuple[Kind, ...]) -> Object:
    """Say that fields are checked here, so that clients need not do it."""
    paths = {}
    for kind in kinds:
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.name}
        parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
        root = f"apis/{kind.api}" if kind.group else f"api/{kind.api}"
        inside = "namespaces/{namespace}/" if kind.namespaced else ""
        patch = {"x-kubernetes-group-version-kind": gvk, "parameters": parameters, "responses": {}}
        paths[f"/{root}/{inside}{kind.plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1"}, "paths": paths}


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        server_of = api

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: ApiServer

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
        """Say nothing."""

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        try:
            self._route(raw)
        except RefusedError as refused:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
            self._send(refused.code, status | {"reason": refused.reason, "code": refused.code, "message": str(refused)})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, raw: bytes) -> None:
        parts = urlsplit(self.path)
        if (found := self.server_of.document(parts.path)) is not None:
            self._send(200, found)
            return
        request = Request(dict(parse_qsl(parts.query)), raw, self.headers.get("Content-Type", ""))
        kind, namespace, name = _place(parts.path)
        if name:
            self._send(*self.server_of.answer(self.command, Key(kind.name, namespace, name), kind, request))
        elif self.command == "POST":
            self._send(201, self.server_of.create(kind, namespace, request))
        elif request.query.get("watch") in {"1", "true"}:
            self._watch(kind, namespace, request.query)
        else:
            self._send(200, self._listing(kind, namespace, request.query))

    def _listing(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> Object:
        store = self.server_of.store
        return {
            "kind": f"{kind.name}List",
            "apiVersion": kind.api,
            "metadata": {"resourceVersion": str(store.number)},
            "items": store.find(kind.name, namespace, query),
        }

    def _send(self, code: int, content: Object) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # -------------------------------------------------------------------- watch

    def _watch(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> None:
        store = self.server_of.store
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        after = int(query.get("resourceVersion") or 0)
        if not after or query.get("sendInitialEvents") == "true":
            after = self._begin(kind, namespace, query)
        for change in store.follow(after, WATCH_S):
            if change.key.kind == kind.name and wanted(change.content, namespace, query):
                self._event(change.what, _versioned(change))
        self.wfile.write(b"0\r\n\r\n")

    def _begin(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> int:
        """Send what is there already; return the number of the change up to which that is."""
        store = self.server_of.store
        with store.changed:
            at = store.number
            found = store.find(kind.name, namespace, query)
        for one in found:
            self._event("ADDED", one)
        marks = {"k8s.io/initial-events-end": "true"}
        metadata = {"resourceVersion": str(at), "annotations": marks}
        self._event("BOOKMARK", {"kind": kind.name, "apiVersion": kind.api, "metadata": metadata})
        return at

    def _event(self, what: str, content: Object) -> None:
        line = json.dumps({"type": what, "object": content}).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()


def _versioned(change: Change) -> Object:
    metadata = {**change.content["metadata"], "resourceVersion": str(change.number)}
    return {**change.content, "metadata": metadata}


def _place(path: str) -> tuple[Kind, str, str]:
    """Return kind, namespace and name of a path; the last two may be empty. Raises RefusedError."""
    parts = path.strip("/").split("/")
    depth = 2 if parts[0] == "api" else 3
    root, rest = "/".join(parts[:depth]), parts[depth:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    kind = next((kind for kind in _roots().get(root, ()) if rest and kind.plural == rest[0]), None)
    if kind is None or len(rest) > 2:
        raise RefusedError(404, "NotFound", "the server could not find the requested resource")
    return kind, namespace, rest[1] if len(rest) == 2 else ""
