// How a call fails: with an error of Winsock, as unsupported, or as one that makes no sense.
// Written from docs/agents.md (answers) and docs/sockets.md (errors).

export const WSA = {
  WSA_OPERATION_ABORTED: 995, WSAEFAULT: 10014, WSAEINVAL: 10022, WSAEWOULDBLOCK: 10035,
  WSAEALREADY: 10037, WSAENOTSOCK: 10038, WSAEMSGSIZE: 10040, WSAEOPNOTSUPP: 10045,
  WSAEAFNOSUPPORT: 10047, WSAEADDRINUSE: 10048, WSAEADDRNOTAVAIL: 10049, WSAENETDOWN: 10050,
  WSAENETUNREACH: 10051, WSAECONNABORTED: 10053, WSAECONNRESET: 10054, WSAENOBUFS: 10055,
  WSAEISCONN: 10056, WSAENOTCONN: 10057, WSAESHUTDOWN: 10058, WSAETIMEDOUT: 10060,
  WSAECONNREFUSED: 10061, WSAEDISCON: 10101,
};

export class Failure extends Error {}
export class Unsupported extends Error {}
export class Invalid extends Error {}

export function fail(name) {
  throw new Failure(name);
}

// The part of an answer that tells an error.
export function described(error) {
  if (error instanceof Failure) return { error: { code: WSA[error.message], name: error.message } };
  if (error instanceof Unsupported) return { unsupported: error.message };
  if (error instanceof Invalid) return { invalid: error.message };
  throw error;
}
