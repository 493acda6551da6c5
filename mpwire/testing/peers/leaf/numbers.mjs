// The numbers of MPW/1 that a leaf needs, and arithmetic on sequence numbers.
// Written from docs/protocol.md 4 (header), 6 (capabilities) and 10 (lifetimes).

export const HEADER = 32;
export const LARGEST = 1200;
export const MAX_PAYLOAD = 1156;
export const JOIN_REQ_LEAST = 128;
export const ROOT = 1;
export const FIRST_LEAF = 2;
export const HIGHEST_MEMBER = 0xffffffef;
export const NONE = "0000000000000000"; // no tag, no session; 64 bits are 16 hexadecimal digits
export const FLAG = { R: 0x80, A: 0x40, M: 0x20, X: 0x10, G: 0x01 };
export const CAPS = { REPAIR: 0x02, GREASE: 0x80000000 };
export const PLANES = 0x03; // rooted control, rooted data: the only kind of session spoken here
// JL and LeafDir of a request:
export const DIRECTIONS = { SENDER_ONLY: [1, 1], RECEIVER_ONLY: [2, 2], BOTH: [4, 3] };
export const MAY_SEND = 1;
export const RECEIVES = 2;
export const FIRST_WINDOW = 32; // 11.3: messages before the first DATA_ACK

// How far `b` is ahead of `a`, negative if it is behind (serial numbers of 32 bits); and addition.
export const ahead = (a, b) => (b - a) | 0;
export const plus = (a, count) => (a + count) >>> 0;

export function u32(value) {
  const made = Buffer.alloc(4);
  made.writeUInt32BE(value >>> 0);
  return made;
}
