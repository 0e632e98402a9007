"""The real doors to the source and the sink of a stream, for the commands that ask them."""

from dataclasses import dataclass, replace

from hasync.binlog.beats import SqlBeats
from hasync.cli.invocation import Invocation, ProbeAccount
from hasync.drill.handlers import counts_key
from hasync.drill.probe import SQL, BeatCounts, BeatTable
from hasync.model.check import Check
from hasync.model.config import StreamConfig
from hasync.ports import ChangeSource, Sink
from hasync.sinks.beats import RedisBeats
from hasync.worker.adapters import build_endpoint, build_logins, build_sink, build_source
from hasync.worker.preflight import preflight
from hasync.worker.sessions import secrets_from


@dataclass(frozen=True, slots=True)
class StreamServers:
    """:class:`hasync.cli.invocation.Servers` of one config."""

    call: Invocation
    stream: str
    config: StreamConfig

    def sink(self) -> Sink:
        """Build the sink."""
        call = self.call
        settings = call.settings.model_copy(update={"member_id": call.member})  # the name CLIENT LIST shows
        secrets = secrets_from(call.outside.environ)
        return build_sink(self.config, stream=self.stream, settings=settings, secrets=secrets, clock=call.clock)

    def source(self) -> ChangeSource:
        """Build a source under a server id of its own."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        # The server id is made of the stream's name: under the stream's own one MySQL would end the leader's dump.
        alias = f"{self.stream}/{call.member}"
        return build_source(self.config, stream=alias, settings=call.settings, secrets=secrets, clock=call.clock)

    def probe(self, account: ProbeAccount) -> tuple[BeatTable, BeatCounts]:
        """Build both ends of a drill's probe, as the account of its own in MySQL and the stream's in Redis."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        password = secrets.resolve(account.password) if account.password else ""
        login = build_logins(self.config, secrets=secrets)[0]
        login = replace(login, host=account.host or login.host, user=account.user, password=password)
        remedy = f"the probe's table: {SQL.format(table=account.table)}; its account may INSERT and DELETE there"
        endpoint = build_endpoint(self.config, settings=call.settings, secrets=secrets)
        return SqlBeats(login, account.table, remedy=remedy), RedisBeats(endpoint, call.clock, prefix=counts_key(""))

    def checks(self) -> tuple[Check, ...]:
        """Look at both servers."""
        call, secrets = self.call, secrets_from(self.call.outside.environ)
        return preflight(self.config, stream=self.stream, settings=call.settings, secrets=secrets, clock=call.clock)
