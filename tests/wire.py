"""The bytes that open a stream and a WebSocket, for clients that are plain sockets."""

SSE = "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
WEBSOCKET = SSE.removesuffix("\r\n") + (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
WEBSOCKET_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # with code 1000


def request(kind: str, address: tuple[str, int], path: str, key: str) -> str:
    return kind.format(path=path, host=address[0], port=address[1], key=key)
