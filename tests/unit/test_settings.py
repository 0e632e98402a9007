"""Settings: where they come from, what wins, and how each mistake is explained."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from hasync.errors import ConfigInvalid
from hasync.model.cluster import NAME
from hasync.model.secret import SecretReference
from hasync.settings import Settings, load
from hasync.settings.reference import reference

ROOT = Path(__file__).parents[2]


def test_nothing_given_yields_documented_defaults() -> None:
    """An instance with no settings at all is a legal one that leads nothing."""
    settings = load({"PATH": "/bin"}, hostname="host-a")
    assert settings == Settings(member_id="host-a")
    assert (settings.zookeeper.hosts, settings.zookeeper.root) == (("127.0.0.1:2181",), "/hasync")
    assert settings.live_within_s == 20.0


def test_constructor_ignores_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only load() reads an environment, and only the one it is given."""
    monkeypatch.setenv("HASYNC_HTTP__PORT", "1")
    assert Settings(member_id="a").http.port == 9187
    assert load({}, hostname="a").http.port == 9187


def test_variables_reach_nested_fields() -> None:
    """Lists are comma separated, nested fields are reached by two underscores, empty variables count as unset."""
    settings = load(
        {
            "HASYNC_MEMBER_ID": "pod-3",
            "HASYNC_STREAMS": "orders, users,",
            "HASYNC_ZOOKEEPER__HOSTS": "zk-0,[::1]:2182",
            "HASYNC_ZOOKEEPER__TLS__CA": "/etc/ca.pem",
            "HASYNC_HTTP__PORT": "0",
            "HASYNC_HTTP__HOST": "",
            "hasync_log__level": "debug",
        },
        hostname="host-a",
    )
    assert (settings.member_id, settings.streams) == ("pod-3", ("orders", "users"))
    assert settings.zookeeper.hosts == ("zk-0:2181", "[::1]:2182")
    assert settings.zookeeper.tls is not None
    assert settings.zookeeper.tls.ca == Path("/etc/ca.pem")
    assert (settings.http.port, settings.http.host, settings.log.level) == (0, "127.0.0.1", "debug")


@pytest.mark.parametrize(
    ("host", "advertise", "address"),
    [
        ("127.0.0.1", "", "127.0.0.1:9187"),
        ("0.0.0.0", "", "host-a:9187"),  # noqa: S104 - not listened on
        ("::", "", "host-a:9187"),
        ("0.0.0.0", "10.1.2.3", "10.1.2.3:9187"),  # noqa: S104
        ("::", "fd00::7", "[fd00::7]:9187"),
    ],
)
def test_address_for_others_is_one_that_they_can_reach(host: str, advertise: str, address: str) -> None:
    """An instance that listens everywhere names its host, or what it is told: a pod's name cannot be looked up."""
    environ = {"HASYNC_HTTP__HOST": host, "HASYNC_HTTP__ADVERTISE": advertise}
    assert load(environ, hostname="pod").http.address("host-a", 9187) == address


def test_variable_wins_over_directory_over_file(tmp_path: Path) -> None:
    """The nearest place to the process wins, field by field and not part by part."""
    file = tmp_path / "hasync.yaml"
    file.write_text("streams: [from-file]\nhttp: {port: 1000, host: 10.0.0.1}\nretry: {max_s: 7}\n")
    directory = tmp_path / "mounted"
    directory.mkdir()
    (directory / "hasync_http__port").write_text("2000\n")
    (directory / "hasync_retry__max_s").write_text("8")
    environ = {"HASYNC_SETTINGS_FILE": str(file), "HASYNC_SECRETS_DIR": str(directory), "HASYNC_RETRY__MAX_S": "9"}
    settings = load(environ, hostname="a")
    assert (settings.streams, settings.http.host, settings.http.port) == (("from-file",), "10.0.0.1", 2000)
    assert settings.retry.max_s == 9.0


def test_file_argument_wins_over_variable(tmp_path: Path) -> None:
    """``--settings`` on the command line is nearer than HASYNC_SETTINGS_FILE."""
    file = tmp_path / "given.yaml"
    file.write_text("member_id: given\n")
    environ = {"HASYNC_SETTINGS_FILE": str(tmp_path / "absent.yaml")}
    assert load(environ, file=file, hostname="a").member_id == "given"


def test_empty_file_sets_nothing(tmp_path: Path) -> None:
    """A file of comments only is a file without settings, not an error."""
    file = tmp_path / "hasync.yaml"
    file.write_text("# later\n")
    assert load({}, file=file, hostname="a") == Settings(member_id="a")


def test_settings_are_frozen() -> None:
    """Nobody changes settings behind another one's back."""
    settings = Settings(member_id="a")
    with pytest.raises(ValidationError):
        settings.http.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.member_id = "b"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HASYNC_HTTP__PORT": "abc"}, ["HASYNC_HTTP__PORT (http.port)", "'abc'", "whole number", "9187"]),
        ({"HASYNC_HTTP__PORT": "70000"}, ["'70000'", "65535"]),
        ({"HASYNC_HTTP_PORT": "1"}, ["HASYNC_HTTP_PORT: is not a setting", "did you mean 'HASYNC_HTTP__PORT'?"]),
        ({"HASYNC_PORT": "1"}, ["HASYNC_PORT: is not a setting", "HASYNC_HTTP__PORT"]),
        ({"HASYNC_STREAM": "a"}, ["did you mean 'HASYNC_STREAMS'?"]),
        ({"HASYNC_XYZZY": "a"}, ["known here: HASYNC_", "HASYNC_SECRET_"]),
        ({"HASYNC_ZOOKEEPER": "zk:2181"}, ["HASYNC_ZOOKEEPER: is not a setting", "HASYNC_ZOOKEEPER__"]),
        ({"HASYNC_ZOOKEEPER__HOSTS": "zk:x"}, ["HASYNC_ZOOKEEPER__HOSTS", "item 1", "'zk:x'", "zk-0:2181"]),
        ({"HASYNC_ZOOKEEPER__HOSTS": "a:1,a:1"}, ["named twice: a:1"]),
        ({"HASYNC_ZOOKEEPER__HOSTS": ","}, ["HASYNC_ZOOKEEPER__HOSTS", "names none"]),
        ({"HASYNC_ZOOKEEPER__ROOT": "hasync/"}, ["HASYNC_ZOOKEEPER__ROOT", "'hasync/'", "/hasync"]),
        ({"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "1"}, ["'1'", "at least 2"]),
        ({"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "61"}, ["at most 60"]),
        ({"HASYNC_ZOOKEEPER__AUTH": "digest:hunter2"}, ["HASYNC_ZOOKEEPER__AUTH", "literal secret", "env:NAME"]),
        ({"HASYNC_ZOOKEEPER__TLS__CERT": "/c.pem"}, ["HASYNC_ZOOKEEPER__TLS__CA", "is missing"]),
        (
            {"HASYNC_ZOOKEEPER__TLS__CERT": "/c.pem", "HASYNC_ZOOKEEPER__TLS__CA": "/ca.pem"},
            ["HASYNC_ZOOKEEPER__TLS__KEY", "give both or neither"],
        ),
        ({"HASYNC_REDIS_TIMEOUT_S": "10"}, ["redis_timeout_s", "10", "less than zookeeper.session_timeout_s", "lower"]),
        (
            {"HASYNC_ZOOKEEPER__SESSION_TIMEOUT_S": "3", "HASYNC_REDIS_TIMEOUT_S": "3"},
            ["redis_timeout_s", "must be less than", "lower it to 1"],
        ),
        ({"HASYNC_HEARTBEAT_S": "11"}, ["heartbeat_s", "11", "zookeeper.session_timeout_s = 10"]),
        ({"HASYNC_RETRY__MULTIPLIER_S": "6"}, ["retry.multiplier_s", "6 is more than retry.max_s = 5"]),
        ({"HASYNC_RETRY__DEGRADED_AFTER_S": "130"}, ["retry.step_down_after_s = 120"]),
        ({"HASYNC_SHUTDOWN_TIMEOUT_S": "1"}, ["redis_timeout_s", "shutdown_timeout_s = 1"]),
        ({"HASYNC_STREAMS": "a,a"}, ["HASYNC_STREAMS", "named twice: a"]),
        ({"HASYNC_STREAMS": "a/b"}, ["HASYNC_STREAMS", "'a/b'"]),
        ({"HASYNC_STREAMS": "{a}"}, ["HASYNC_STREAMS", "'{a}'"]),
        ({"HASYNC_MEMBER_ID": "a/b"}, ["HASYNC_MEMBER_ID (member_id)", "'a/b'"]),
        ({"HASYNC_LOG__LEVEL": "trace"}, ["'trace'", "'debug', 'info', 'warning' or 'error'"]),
        ({"HASYNC_LOG__FORMAT": "text"}, ["HASYNC_LOG__FORMAT", "'auto', 'json' or 'console'"]),
        ({"HASYNC_SETTINGS_FILE": "/nowhere/h.yaml"}, ["/nowhere/h.yaml", "No such file", "correct the path"]),
        ({"HASYNC_SECRETS_DIR": "/nowhere"}, ["HASYNC_SECRETS_DIR", "/nowhere", "not a directory"]),
        ({"HASYNC_ACKNOWLEDGE_EVERY_S": "nan"}, ["HASYNC_ACKNOWLEDGE_EVERY_S", "'nan'"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_broken_variable_is_explained(environ: dict[str, str], expected: list[str]) -> None:
    """A mistake is answered with the variable, the value and the remedy, in one line."""
    with pytest.raises(ConfigInvalid) as refused:
        load(environ, hostname="host-a")
    assert len(refused.value.problems) == 1
    for words in expected:
        assert words in refused.value.problems[0]
    assert not re.search("Input should|Value error|instance of", refused.value.problems[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http: {prot: 1}", ["http.prot in", "did you mean 'http.port'?"]),
        ("streems: [a]", ["streems in", "did you mean 'streams'?"]),
        ("http: 9187", ["http in", "is a group", "http: {host: ...}", "HASYNC_HTTP__HOST", "http.host, http.port"]),
        ("log: debug", ["log in", "is a group", "log: {level: ...}", "HASYNC_LOG__LEVEL"]),
        ("zookeeper: {tls: /ca.pem}", ["zookeeper.tls in", "is a group", "zookeeper.tls: {ca: ...}"]),
        ("http: {port: [1]}", ["http.port in", "[1]", "whole number"]),
        ("http: {port: 9.5}", ["http.port in", "9.5", "whole number"]),
        ("http: {host: ''}", ["http.host in", "must not be empty"]),
        ("retry: {max_s: soon}", ["retry.max_s in", "'soon'", "must be a number"]),
        ("retry: {max_s: .nan}", ["retry.max_s in", "nan"]),
        ("heartbeat_s: 0", ["heartbeat_s in", "more than 0"]),
        ("streams: 7", ["streams in", "7", "must be a list"]),
        ("member_id: [a]", ["member_id in", "must be a text"]),
        ("log: {level: loud}", ["log.level in", "'loud'", "must be 'debug', 'info', 'warning' or 'error'"]),
        ("- a\n- b", ["holds no map of settings"]),
        ("1: 2", ["holds no map of settings"]),
        ("http: {port: 1", ["is not YAML at line"]),
        ("zookeeper: {auth: 'digest:hunter2'}", ["zookeeper.auth in", "literal secret"]),
    ],
)
def test_broken_file_is_explained(tmp_path: Path, text: str, expected: list[str]) -> None:
    """A mistake in the file is answered with path, file and remedy."""
    file = tmp_path / "hasync.yaml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        load({}, file=file, hostname="host-a")
    assert len(refused.value.problems) == 1
    for words in (*expected, str(file)):
        assert words in refused.value.problems[0]
    assert not re.search("Input should|Value error|instance of", refused.value.problems[0])
    assert "hunter2" not in str(refused.value.problems)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HASYNC_STREAM", ["is not a setting", "did you mean 'HASYNC_STREAMS'?", "HASYNC_SECRET_"]),
        ("hasync_http_port", ["is not a setting", "did you mean 'HASYNC_HTTP__PORT'?"]),
        ("HASYNC_HTTP__PORT", ["http.port in", "'orders'", "whole number"]),
    ],
)
def test_broken_file_of_the_directory_is_explained(tmp_path: Path, name: str, expected: list[str]) -> None:
    """A mounted file is held to the same rules as a variable, and named by its path."""
    (tmp_path / name).write_text("orders\n")
    with pytest.raises(ConfigInvalid) as refused:
        load({"HASYNC_SECRETS_DIR": str(tmp_path)}, hostname="a")
    assert len(refused.value.problems) == 1
    for words in (*expected, str(tmp_path / name)):
        assert words in refused.value.problems[0]


def test_unreadable_file_of_the_directory_is_explained(tmp_path: Path) -> None:
    """What is named as a setting and cannot be read is not passed over."""
    (tmp_path / "HASYNC_STREAMS").mkdir()
    with pytest.raises(ConfigInvalid, match="1 problem") as refused:
        load({"HASYNC_SECRETS_DIR": str(tmp_path)}, hostname="a")
    assert f"{tmp_path / 'HASYNC_STREAMS'}: cannot be read: Is a directory" in refused.value.problems[0]
    (tmp_path / "HASYNC_STREAMS").rmdir()
    (tmp_path / "HASYNC_STREAMS").write_bytes(b"\xff")
    with pytest.raises(ConfigInvalid) as refused:
        load({"HASYNC_SECRETS_DIR": str(tmp_path)}, hostname="a")
    assert "not UTF-8" in refused.value.problems[0]


def test_kubernetes_volume_is_read_and_foreign_files_in_it_are_left_alone(tmp_path: Path) -> None:
    """A volume holds links to hidden directories, and secrets that hasync's references name."""
    data = tmp_path / "..2024_01_01"
    data.mkdir()
    for name, text in {
        "HASYNC_STREAMS": "orders\n",
        "HASYNC_SECRET_MYSQL": "pw",
        "ca.pem": "x",
        "HASYNC_LOG__LEVEL": "",
    }.items():
        (data / name).write_text(text)
        (tmp_path / name).symlink_to(Path("..data", name))
    (tmp_path / "..data").symlink_to(data.name)
    settings = load({"HASYNC_SECRETS_DIR": str(tmp_path)}, hostname="a")
    assert settings == Settings(member_id="a", streams=("orders",))


@pytest.mark.parametrize("name", ["a", "9", "a.b-c_d", "x" * 63, "x" * 64, "x" * 128, "-a", ".a", "a b", "ä", "a\n"])
def test_names_obey_the_rule_of_the_cluster(name: str) -> None:
    """What settings accept can be stored, and what they refuse is explained by the same rule."""
    if NAME.fullmatch(name):
        assert Settings(member_id=name, streams=(name,)).streams == (name,)
    else:
        with pytest.raises(ConfigInvalid) as refused:
            load({"HASYNC_MEMBER_ID": name}, hostname="a")
        assert "1 to 63 letters" in refused.value.problems[0]


def test_all_problems_are_reported_at_once() -> None:
    """Nobody should have to start five times to learn of five mistakes."""
    environ = {"HASYNC_HTTP__PORT": "x", "HASYNC_LOG__LEVEL": "x", "HASYNC_STREEMS": "x"}
    with pytest.raises(ConfigInvalid) as refused:
        load(environ, hostname="a")
    assert len(refused.value.problems) == 3
    assert "3 problems" in refused.value.message


def test_literal_secret_is_refused_and_not_shown() -> None:
    """A secret typed where a reference belongs appears in no message and no chained exception."""
    with pytest.raises(ConfigInvalid) as refused:
        load({"HASYNC_ZOOKEEPER__AUTH": "hasync:hunter2"}, hostname="a")
    assert "hunter2" not in "\n".join([str(refused.value), *refused.value.problems])
    assert refused.value.__context__ is None


def test_kubernetes_service_links_are_no_settings() -> None:
    """A Service named hasync in the namespace must not keep the pods from starting."""
    links = {
        "HASYNC_SERVICE_HOST": "10.0.0.7",
        "HASYNC_SERVICE_PORT": "9187",
        "HASYNC_SERVICE_PORT_HTTP": "9187",
        "HASYNC_PORT": "tcp://10.0.0.7:9187",
        "HASYNC_PORT_9187_TCP": "tcp://10.0.0.7:9187",
        "HASYNC_PORT_9187_TCP_ADDR": "10.0.0.7",
    }
    assert load(links, hostname="a") == Settings(member_id="a")


def test_foreign_and_reserved_variables_are_left_alone() -> None:
    """The operator's secrets and the command line's own variables are no mistakes."""
    environ = {"HASYNC_SECRET_MYSQL": "pw", "HASYNC_OUTPUT": "json", "HASYNCX": "1"}
    assert load(environ, hostname="a", reserved={"HASYNC_OUTPUT"}) == Settings(member_id="a")


def test_running_without_streams_is_refused() -> None:
    """``hasync run`` with nothing to run says which variable to set."""
    with pytest.raises(ConfigInvalid) as refused:
        Settings(member_id="a").require_streams()
    assert "HASYNC_STREAMS" in refused.value.problems[0]
    assert Settings(member_id="a", streams=("s",)).require_streams() == ("s",)


def test_repr_shows_no_secret() -> None:
    """Settings may be printed: they hold references only."""
    environ = {"HASYNC_ZOOKEEPER__AUTH": "env:ZOOKEEPER_AUTH", "ZOOKEEPER_AUTH": "hasync:hunter2"}
    settings = load(environ, hostname="a")
    assert settings.zookeeper.auth == SecretReference("env", "ZOOKEEPER_AUTH")
    assert "hunter2" not in repr(settings)


def test_reference_page_equals_code() -> None:
    """docs/settings.md is what ``python -m hasync.settings`` prints (run it to bring the page up to date)."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == reference()


def test_every_setting_is_documented() -> None:
    """No setting without a meaning."""
    rows = [line for line in reference().splitlines() if line.startswith("| `HASYNC")]
    assert rows
    assert [row for row in rows if not row.endswith(". |")] == []
