"""The links of a peer: one to each configured relay, and those to relays that it is leaving."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from kaspa_node.journal import Journal
from kaspa_node.p2p.addresses import Mapping
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings import Settings
from kaspa_node.settings.values import RelayAddress

NO_LONGER_CONFIGURED = "the relay is no longer configured"


class RelayLinks:
    """Holds the links. None runs before `start`."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self._host = host
        self._journal = journal
        self._links: dict[str, RelayLink] = {}
        # The cancel scope of each link that runs or is being left.
        self._scopes: dict[RelayLink, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None

    def start(self, nursery: trio.Nursery) -> None:
        """Run the links in `nursery` from now on."""
        self._nursery = nursery
        for link in self._links.values():
            self._keep(link)

    def apply(self, settings: Settings) -> None:
        """Have one link to each configured relay.

        A link whose address is the same is left alone. A link to a relay that is not configured any more gives up its
        reservation in order.
        """
        wanted = {relay.peer_id: relay for relay in settings.known_relays}
        for peer, link in list(self._links.items()):
            if wanted.get(peer) != link.address:
                del self._links[peer]
                self._leave(link)
        self._links = {
            peer: self._link(relay, settings.reserve and relay in settings.relays) for peer, relay in wanted.items()
        }

    def _link(self, relay: RelayAddress, reserve: bool) -> RelayLink:
        link = self._links.get(relay.peer_id)
        if link is not None:
            link.want(reserve)
            return link
        # The relay is configured again while this peer is leaving it. A new link could not dial from the same port,
        # because the old connection still uses these addresses.
        link = next((leaving for leaving in self._scopes if leaving.address == relay), None)
        if link is not None:
            link.want(reserve)
        else:
            link = RelayLink(self._host, relay, reserve=reserve, journal=self._journal)
        self._keep(link)
        return link

    def _keep(self, link: RelayLink) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._run, link, self._turn_over(link))

    def _leave(self, link: RelayLink) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._end, link, self._turn_over(link))

    def _turn_over(self, link: RelayLink) -> trio.CancelScope:
        """Cancel the link's current task; returns the scope for the next one."""
        before = self._scopes.get(link)
        if before is not None:
            before.cancel()
        scope = self._scopes[link] = trio.CancelScope()
        return scope

    async def _run(self, link: RelayLink, scope: trio.CancelScope) -> None:
        with scope:
            await link.run()

    async def _end(self, link: RelayLink, scope: trio.CancelScope) -> None:
        with scope:
            await link.leave(NO_LONGER_CONFIGURED)
            del self._scopes[link]

    # What others ask

    def configured(self, peer: str) -> bool:
        """Whether `peer` is one of the relays."""
        return peer in self._links

    def known(self, peer: str) -> bool:
        """Whether `peer` is a configured relay, or one that this peer is leaving."""
        return peer in self._links or any(link.peer_id == peer for link in self._scopes)

    def all(self) -> list[RelayLink]:
        """The links to the configured relays, in their order."""
        return list(self._links.values())

    def to(self, relays: Iterable[RelayAddress]) -> list[RelayLink]:
        """The links to these configured relays."""
        return [self._links[relay.peer_id] for relay in relays]

    def mappings(self) -> list[Mapping]:
        """The mappings that the relays have reported."""
        return [link.mapping for link in self._links.values() if link.mapping is not None]
