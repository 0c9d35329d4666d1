// UTF-8, since the QuickJS runtime of a component has no TextEncoder.

/** Returns the UTF-8 bytes of a text. */
export function encode(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (unit) => unit.charCodeAt(0));
}
