"""Passwords are rotated under running instances: files change, servers change, nothing is restarted."""

from collections.abc import Iterator

import pytest
from kazoo.exceptions import NoAuthError

from testbed import wait_until, workdir
from tests.security.estate import DEADLINE_S, STREAM, Estate

DATABASES = [pytest.param("mysql", marks=pytest.mark.mysql), pytest.param("mariadb", marks=pytest.mark.mariadb)]


@pytest.fixture(scope="module", params=DATABASES)
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """A deployment with one instance that leads."""
    with workdir() as place, Estate(place, database=request.param) as estate:
        estate.deploy()
        with estate.instance("a"):
            estate.write(1, "first")
            estate.wait_for(1, "first")
            yield estate


def same_everywhere(estate: Estate) -> None:
    """Skip what does not depend on the database for all of them but one."""
    if estate.database != "mysql":
        pytest.skip("the database makes no difference")


def test_source_password_is_rotated(estate: Estate) -> None:
    """The old connection reads on; the next one logs in with what the file holds by then."""
    estate.source.sql("ALTER USER 'hasync'@'%' IDENTIFIED BY 'second-source'")
    estate.write(2, "old connection")
    estate.wait_for(2, "old connection")
    estate.put("source", "second-source")
    estate.kill_readers()
    estate.write(2, "new password")
    estate.wait_for(2, "new password")


def test_reader_waits_for_the_file_when_the_server_is_faster(estate: Estate) -> None:
    """A password that worked and is refused now is being rotated: it is waited for, and nothing halts."""
    estate.source.sql("ALTER USER 'hasync'@'%' IDENTIFIED BY 'third-source'")
    estate.kill_readers()
    estate.write(3, "waiting")
    wait_until("it was refused", lambda: "it worked before" in estate.log("a").read_text(), timeout_s=DEADLINE_S)
    estate.put("source", "third-source")
    estate.wait_for(3, "waiting")
    assert '"halted"' not in estate.log("a").read_text()


def test_redis_password_is_rotated(estate: Estate) -> None:
    """Redis takes both for a while; with the old one gone and all connections cut, the file's new one is used."""
    same_everywhere(estate)
    estate.admin("ACL", "SETUSER", "hasync", ">second-redis")
    estate.put("redis", "second-redis")
    estate.admin("ACL", "SETUSER", "hasync", "<first-redis")
    estate.admin("CLIENT", "KILL", "USER", "hasync")
    estate.write(4, "new password")
    estate.wait_for(4, "new password")


def test_sink_waits_for_the_file_when_redis_is_faster(estate: Estate) -> None:
    """The same the other way round."""
    same_everywhere(estate)
    estate.admin("ACL", "SETUSER", "hasync", "resetpass", ">third-redis")
    estate.admin("CLIENT", "KILL", "USER", "hasync")
    estate.write(5, "waiting")
    wait_until("it was refused", lambda: "WRONGPASS" in estate.log("a").read_text(), timeout_s=DEADLINE_S)
    estate.put("redis", "third-redis")
    estate.wait_for(5, "waiting")
    assert '"halted"' not in estate.log("a").read_text()


def test_zookeeper_identity_is_rotated(estate: Estate) -> None:
    """Both for a while, then the new one alone: the session goes on, and the old password opens nothing more."""
    same_everywhere(estate)
    old, new = estate.secrets["zookeeper"], "hasync:second-zookeeper"
    estate.put("zookeeper", f"{new}\n{old}")
    estate.done("init-zk", "--fix-acl")
    estate.put("zookeeper", new)
    wait_until(
        "the instance makes znodes for the new one alone", lambda: owners(estate, new) == 1, timeout_s=DEADLINE_S
    )
    estate.done("init-zk", "--fix-acl")
    with estate.tree(old) as client, pytest.raises(NoAuthError):
        client.get("/hasync/streams/orders/config")
    estate.write(6, "still here")
    estate.wait_for(6, "still here")
    assert '"session_lost"' not in estate.log("a").read_text()
    assert estate.findings()["zookeeper.acl"]["ok"]


def owners(estate: Estate, credential: str) -> int:
    """Have the instance begin a term, and return how many identities own the znode that says so."""
    estate.done("pause", "--stream", STREAM, "--wait")
    estate.done("resume", "--stream", STREAM)
    with estate.tree(credential) as client:
        path = f"/hasync/streams/{STREAM}/leader"
        wait_until("the instance leads again", lambda: client.exists(path), timeout_s=DEADLINE_S)
        entries, _ = client.get_acls(path)
    return len(entries)
