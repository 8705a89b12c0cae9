import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { openCertificateAuthority } from '../../daemons/egress/certificate-authority.ts';

/** Under these names the outside is found on the outward network. */
export const OUTSIDE_NAMES = ['origin', 'plain', 'attacker', 'upstream', 'inner', 'doh'].map((name) => `${name}.test`);

/** Whoever commits in these tests. */
export const GIT_IDENTITY = {
  GIT_AUTHOR_NAME: 'agent',
  GIT_AUTHOR_EMAIL: 'agent@bottle.test',
  GIT_COMMITTER_NAME: 'agent',
  GIT_COMMITTER_EMAIL: 'agent@bottle.test',
};

/** Certificates of the outside, its repository, and the authority that all in this world trust. */
export async function writeOutside(directory: string): Promise<void> {
  for (const each of ['outside', 'outside-ca', 'outside/git']) mkdirSync(join(directory, each));
  const authority = await openCertificateAuthority(join(directory, 'authority'));
  writeFileSync(join(directory, 'outside-ca/authority.pem'), authority.certificate);
  const certificates = Object.fromEntries(OUTSIDE_NAMES.map((name) => [name, authority.credentialsFor(name)]));
  writeFileSync(join(directory, 'outside/certificates.json'), JSON.stringify(certificates));
  const bare = join(directory, 'outside/git/project.git');
  const work = join(directory, 'work');
  const env = { ...GIT_IDENTITY, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const git = async (...args: string[]): Promise<unknown> => await execa('git', args, { env });
  await git('init', '--quiet', '--initial-branch=main', work);
  writeFileSync(join(work, 'README'), 'a repository behind the gate\n');
  await git('-C', work, 'add', '.');
  await git('-C', work, 'commit', '--quiet', '--message', 'First commit');
  await git('clone', '--quiet', '--bare', work, bare);
  for (const service of ['receivepack', 'uploadarch']) await git('-C', bare, 'config', `http.${service}`, 'true');
}
