"""Send one delivery by HTTP, to an address that was checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx2

from app.domain.events.endpoint import Endpoint
from app.domain.events.signature import signature_headers
from app.runtime import Runtime

MAX_RESPONSE_BYTES = 65_536
"""What is read of an answer at most, so that its connection can be used again. Its content does not matter."""

MAX_ERROR_LENGTH = 300

Network = IPv4Network | IPv6Network


class ForbiddenAddress(Exception):
    """The host of an endpoint has no address that may be called."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt. `error` is None if the receiver has taken the event."""

    error: str | None = None
    is_gone: bool = False


class AddressRules:
    """Which addresses may be called: those of the Internet, and private ones within the networks that are allowed."""

    def __init__(self, private_networks: Sequence[Network]) -> None:
        self._private_networks = private_networks

    def allow(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether an address may be called."""
        if isinstance(address, IPv6Address):
            # An IPv4 address within an IPv6 address is judged as itself.
            embedded = address.ipv4_mapped or address.sixtofour
            if embedded is not None:
                return self.allow(embedded)
            if address.teredo is not None or address in _NAT64:
                return False
        if any(address.version == network.version and address in network for network in self._private_networks):
            return True
        return address.is_global and not address.is_multicast

    async def resolve(self, host: str, port: int) -> str:
        """Return an address of a host. All of its addresses must be allowed, so that it does not depend on chance.

        Raises:
            ForbiddenAddress: One of them is not.
            OSError: There is none.
        """
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = [ip_address(str(info[4][0]).partition("%")[0]) for info in infos]
        if forbidden := [one for one in found if not self.allow(one)]:
            raise ForbiddenAddress(f"{host} has the address {forbidden[0]}, which is not in the Internet")
        return str(found[0])


_NAT64 = IPv6Network("64:ff9b::/96")


class EndpointClients:
    """Makes clients, which share what is slow to make."""

    def __init__(self, rules: AddressRules, runtime: Runtime, *, timeout: float, max_connections: int) -> None:
        """Create the factory.

        Args:
            rules: Which addresses may be called.
            runtime: The source of time.
            timeout: Seconds that one attempt may take, from the look-up of the name to the end of the answer.
            max_connections: Connections to one endpoint.
        """
        self._rules = rules
        self._runtime = runtime
        self._timeout = timeout
        self._max_connections = max_connections

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()

    def open(self, endpoint: Endpoint) -> EndpointClient:
        """Return a client for an endpoint, to be closed."""
        http = httpx2.AsyncClient(
            verify=self._tls,
            timeout=self._timeout,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=self._max_connections),
        )
        return EndpointClient(endpoint, http, self._rules, self._runtime, timeout=self._timeout)


class EndpointClient:
    """Sends deliveries to one endpoint. It has its own connections, as their certificates are for its host."""

    def __init__(
        self, endpoint: Endpoint, http: httpx2.AsyncClient, rules: AddressRules, runtime: Runtime, *, timeout: float
    ) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._runtime = runtime
        self._timeout = timeout
        self._url = httpx2.URL(endpoint.url)
        self._http = http

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, event_id: str, envelope: str) -> Attempt:
        """Make one attempt, within the time-out. Raises nothing but a cancellation."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(event_id, envelope.encode())
        except TimeoutError:
            return Attempt(f"no answer within {self._timeout:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ForbiddenAddress, UnicodeError) as error:
            return Attempt(f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH])

    async def _send(self, event_id: str, body: bytes) -> Attempt:
        url = self._url
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._rules.resolve(url.host, port)
        now = self._runtime.clock()
        request = self._http.build_request(
            "POST",
            # Connect to the address that was checked: another look-up of the name could find another one.
            url.copy_with(host=address),
            content=body,
            headers={
                "host": url.netloc.decode(),
                "content-type": "application/cloudevents+json",
                "user-agent": "leaderboard-webhooks/1",
                **signature_headers(self._endpoint.secrets, event_id, now, body),
            },
            extensions={"sni_hostname": url.host},
        )
        async with AsyncExitStack() as stack:
            response = await self._http.send(request, stream=True)
            stack.push_async_callback(response.aclose)
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    break
        if response.is_success:
            return Attempt()
        return Attempt(f"status {response.status_code}", is_gone=response.status_code == httpx2.codes.GONE)
