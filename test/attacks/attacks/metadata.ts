import { type Attack, NO_ROUTE, OPEN_PROXY, OUTWARD } from '../attack.ts';

const ROLE = 'metadata: role-credentials';

/** The place where a cloud hands out credentials, in every spelling. */
const SPELLINGS: Readonly<Record<string, string>> = {
  'dotted decimal': '169.254.169.254',
  'one number': '2852039166',
  hexadecimal: '0xa9fea9fe',
  octal: '0251.0376.0251.0376',
  'mixed bases': '0xa9.254.0251.0xfe',
  'three parts': '169.254.43518',
  'mapped into IPv6': '[::ffff:169.254.169.254]',
  'mapped into IPv6, in hexadecimal': '[::ffff:a9fe:a9fe]',
  'its IPv6 address': '[fd00:ec2::254]',
};

const bySpelling = Object.entries(SPELLINGS).map(
  ([name, host]): Attack => ({
    name: `metadata cannot be asked through the proxy: ${name}`,
    // As bytes, since curl would rewrite it.
    script: `say $EGRESS 'GET http://${host}/latest/meta-data/ HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n'`,
    gains: ROLE,
    told: /^HTTP\/1\.1 40[03] /,
    trace: /^egress .*"(host-not-allowed|target-malformed)"/,
    twin: OPEN_PROXY,
  }),
);

export const METADATA: readonly Attack[] = [
  {
    name: 'metadata cannot be asked directly',
    script: "curl -sS -m $WAIT --noproxy '*' http://169.254.169.254/latest/meta-data/",
    gains: ROLE,
    told: /exit (7|28)$/,
    trace: NO_ROUTE,
    twin: OUTWARD,
  },
  ...bySpelling,
  {
    name: 'metadata cannot be asked by a name that a route allows and that leads there',
    script: 'curl -sS -m 5 -x http://$EGRESS http://metadata.test/latest/meta-data/',
    gains: ROLE,
    told: /blocked: SSRF/,
    trace: /^pipelock .*SSRF/,
    twin: OPEN_PROXY,
  },
  {
    name: 'metadata cannot be asked by a redirect of an allowed host',
    script: "curl -sS -m 5 -L 'https://origin.test/redirect?to=http://169.254.169.254/latest/meta-data/'",
    gains: ROLE,
    told: /egress: no route/,
    trace: /^egress .*host-not-allowed.*169\.254\.169\.254/,
    twin: OPEN_PROXY,
  },
  {
    name: 'metadata cannot be asked through a tunnel',
    script: `say $EGRESS 'CONNECT 169.254.169.254:80 HTTP/1.1\\r\\nHost: 169.254.169.254:80\\r\\n\\r\\nGET /latest/ HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'`,
    gains: ROLE,
    told: /HTTP\/1\.1 4(03|21) /,
    trace: /^egress .*(host-not-allowed|misdirected)/,
    twin: OPEN_PROXY,
  },
];
