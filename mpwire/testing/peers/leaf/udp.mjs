// UDP sockets of the kernel, and what it knows of the way to a peer.
// Written from docs/protocol.md 3 (transport) and 15 (the local interface is lost).

import dgram from "node:dgram";

export function udpOf(family) {
  const inet6 = family === "inet6";
  const lookup = (host, _options, done) => done(null, host, inet6 ? 6 : 4);
  return dgram.createSocket({ type: inet6 ? "udp6" : "udp4", ipv6Only: inet6, lookup });
}

// The address of this host from which a peer is reached, null if none; this sends nothing.
export function towards(family, host, port) {
  const probe = udpOf(family);
  return new Promise((done) => {
    probe.connect(port, host, (error) => {
      const address = error ? null : probe.address().address;
      probe.close(() => done(address));
    });
  });
}
