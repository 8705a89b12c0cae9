import { allValues } from '../http/headers.ts';
import { routesToValue, routesToYaml } from '../routes/listing.ts';
import type { Routes } from '../routes/schema.ts';
import type { Answered, Question } from './verdict.ts';

/** The host by which the agent asks egress about itself, through the proxy. It exists nowhere else. */
export const INTROSPECTION_HOST = 'egress.internal';

export interface IntrospectionOptions {
  readonly routes: Routes;
  /** The certificate of the authority that signs for every host, in PEM. */
  readonly caPem: string;
}

const TEXT = 'text/plain; charset=utf-8';
const YAML = 'application/yaml; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
const PEM = 'application/x-pem-file';

const ABOUT = `This is egress, the HTTP and HTTPS proxy of this bottle. What no route allows is refused with 403 and a line that begins with "egress: ".

GET http://${INTROSPECTION_HOST}/routes   what is allowed, as YAML; as JSON with Accept: application/json
GET http://${INTROSPECTION_HOST}/ca.pem   the certificate authority to trust
`;

/** Answers questions to {@link INTROSPECTION_HOST}; undefined for one to any other host. */
export function createIntrospection({
  routes,
  caPem,
}: IntrospectionOptions): (question: Question) => Answered | undefined {
  const asYaml = once(() => routesToYaml(routes));
  const asJson = once(() => `${JSON.stringify(routesToValue(routes), null, 2)}\n`);

  function answer({ method, target, headers, kind }: Question): Answered {
    if (kind === 'websocket' || (method !== 'GET' && method !== 'HEAD')) {
      return answered(405, TEXT, `egress: ${INTROSPECTION_HOST} can only be read, with GET\n`);
    }
    switch (target.split('?', 1)[0]) {
      case '/':
        return answered(200, TEXT, ABOUT);
      case '/routes':
      case '/allowlist':
        return prefersJson(headers) ? answered(200, JSON_TYPE, asJson()) : answered(200, YAML, asYaml());
      case '/ca.pem':
        return answered(200, PEM, caPem);
      default:
        return answered(404, TEXT, `egress: ${INTROSPECTION_HOST} has /, /routes and /ca.pem\n`);
    }
  }

  return (question) => (question.authority.host === INTROSPECTION_HOST ? answer(question) : undefined);
}

/** Many routes take a while to write down: once is enough, however often the agent asks. */
function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function prefersJson(headers: readonly string[]): boolean {
  const accepts = allValues(headers, 'accept').join(',');
  const json = accepts.search(/application\/([\w.-]+\+)?json/i);
  const yaml = accepts.search(/\/([\w.-]+\+)?(x-)?yaml/i);
  return json !== -1 && (yaml === -1 || json < yaml);
}

function answered(status: number, contentType: string, body: string): Answered {
  return { kind: 'answered', status, contentType, body };
}
