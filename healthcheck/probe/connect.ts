import type { Socket, SocketConnectOpts } from 'node:net';
import type { Attempt, Finding } from './check.ts';
import { reason } from './reason.ts';

/** Passes when a connection is accepted. Nothing is sent or read. */
export async function connect(to: SocketConnectOpts, attempt: Attempt): Promise<Finding> {
  attempt.pending('no connection');
  // Loads here and not at the start of PID 1; without `import()`, which a script with a code cache has not.
  const net = process.getBuiltinModule('node:net');
  return new Promise((resolve) => {
    const socket = net.connect(to);
    socket.on('error', (error) => resolve({ passed: false, said: reason(error) }));
    socket.on('connect', () =>
      resolve(
        isConnectedToItself(socket)
          ? { passed: false, said: 'connection refused' }
          : { passed: true, said: 'connection accepted' },
      ),
    );
    const close = (): void => void socket.destroy();
    if (attempt.signal.aborted) close();
    else attempt.signal.addEventListener('abort', close, { once: true });
  });
}

/** Where nobody listens on a port of the ephemeral range, the kernel may pick that very port as the near end. */
function isConnectedToItself(socket: Socket): boolean {
  return (
    socket.localPort !== undefined &&
    socket.localPort === socket.remotePort &&
    socket.localAddress === socket.remoteAddress
  );
}
