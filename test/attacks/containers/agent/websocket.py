"""A WebSocket through the proxy $EGRESS: sends one message, and prints what is heard. websocket.py HOST MESSAGE"""
import os
import socket
import ssl
import sys

host, message = sys.argv[1], sys.argv[2].encode()
proxy, port = os.environ["EGRESS"].rsplit(":", 1)
tcp = socket.create_connection((proxy, int(port)), 5)
tcp.settimeout(3)
tcp.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
head = tcp.recv(4096).decode("latin1")
print(head.split("\r\n")[0])
if " 200 " not in head:
    print(head)
    sys.exit(1)
tls = ssl.create_default_context().wrap_socket(tcp, server_hostname=host)
tls.sendall(
    f"GET /v1/socket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
)
print(tls.recv(4096).decode("latin1").split("\r\n")[0])
mask = b"\x01\x02\x03\x04"
masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
tls.sendall(bytes([0x81, 0x80 | len(message)]) + mask + masked)
frame = tls.recv(4096)
print("heard", frame[0] & 0x0F, frame[2:].decode("latin1"))
