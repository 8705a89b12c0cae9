import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import {
  createServer as createHttpsServer,
  Agent as HttpsAgent,
  type Server as HttpsServer,
  request as httpsRequest,
} from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openCertificateAuthority } from '../../daemons/egress/certificate-authority.ts';
import type { Bottle } from './bottle.ts';

/** A service on this machine that the agent of a test wants to reach, over TLS, as `localhost`. */
export interface Service {
  readonly port: number;
  readonly origin: string;
  /** Its authority: what pipelock has to trust. */
  readonly certificateFile: string;
  readonly server: HttpsServer;
}

export async function startService(t: TestContext, listener: RequestListener): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'service-'));
  const authority = await openCertificateAuthority(join(directory, 'ca'));
  const server = createHttpsServer({ SNICallback: (name, done) => done(null, authority.contextFor(name)) }, listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const { port } = addressOf(server.address());
  return { port, origin: `https://localhost:${port}`, certificateFile: authority.certificateFile, server };
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address;
}

/** The files and variables of a bottle that may reach services of this machine. */
export const LOCAL_SETTINGS = 'internal_hosts: [localhost]\nip_allowlist: [127.0.0.0/8, "::1/128"]\n';

export function trusting(service: Service): Readonly<Record<string, string>> {
  return { SSL_CERT_FILE: service.certificateFile, NODE_EXTRA_CA_CERTS: service.certificateFile };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An agent of this bottle: its proxy, and the certificate that it trusts. */
export function agentOf(bottle: Bottle) {
  const proxy = `http://127.0.0.1:${bottle.ports.EGRESS_PORT}`;
  const ca = readFileSync(join(bottle.data, 'egress/ca/certificate.pem'));
  const agent = new HttpsAgent({ proxyEnv: { HTTPS_PROXY: proxy }, ca });
  const plain = new HttpAgent({ proxyEnv: { HTTP_PROXY: proxy } });
  /** The answer as soon as its headers are there. */
  const open = (url: string, options: AskOptions = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { body, ...rest } = options;
      const asked = url.startsWith('https:')
        ? httpsRequest(url, { agent, ...rest })
        : httpRequest(url, { agent: plain, ...rest });
      asked.on('response', resolve).on('error', reject).end(body);
    });
  const ask = async (url: string, options: AskOptions = {}): Promise<Answer> => {
    const message = await open(url, options);
    let text = '';
    for await (const chunk of message.setEncoding('utf8')) text += chunk;
    return { status: message.statusCode ?? 0, headers: message.headers, text };
  };
  return { open, ask, agent };
}
