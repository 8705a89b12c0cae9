import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gitRefusal, gitUseOf } from '../../../../daemons/egress/git-over-https.ts';

describe('git over HTTPS', () => {
  for (const [target, use] of [
    ['/o/r.git/git-receive-pack', 'push'],
    ['/o/r.git/info/refs?service=git-receive-pack', 'push'],
    ['/o/r.git/git-upload-pack', 'fetch'],
    ['/o/r/info/refs?service=git-upload-pack', 'fetch'],
    ['/o/r.git/git-upload-archive', 'fetch'],
    ['/o/r.git/info/refs', 'git'],
    ['/o/r.git/HEAD', 'git'],
    ['/o/r.git/objects/info/packs', 'git'],
    [`/o/r/objects/ab/${'c'.repeat(38)}`, 'git'],
    [`/o/r/objects/pack/pack-${'0'.repeat(40)}.idx`, 'git'],
    ['/o/r.git/info/lfs/objects/batch', 'Git LFS'],
    ['/o/r.git/info/lfs/locks/verify', 'Git LFS'],
    ['/o/r.git/GIT-RECEIVE-PACK', 'push'],
    ['/o/r.git/git%2Dreceive%2dpack', 'push'],
    ['/o/r.git/git%252Dreceive%252Dpack', 'push'],
    ['/o/r.git%2fgit-receive-pack', 'push'],
    ['/o/r.git//git-receive-pack/', 'push'],
    ['/o/r.git/x/../git-receive-pack', 'push'],
    ['/o/r.git/x/%2e%2e/git-receive-pack/.', 'push'],
    ['/o/r.git\\git-receive-pack', 'push'],
    ['/o/r.git/git-receive-pack;v=1', 'push'],
    ['/o/r.git/git-receive-pack?a=b', 'push'],
    ['/o/r.git/git-receive-pack%3fa=b', 'push'],
    ['/o/r.git/git-receive-pack%20', 'push'],
    ['/o/r.git/%69nfo/refs?s%65rvice=git-upl%6fad-pack', 'fetch'],
    ['/elsewhere?service=git-receive-pack', 'push'],
  ] as const) {
    it(`is seen in ${target}`, () => assert.equal(gitUseOf(target, []), use));
  }

  for (const headers of [
    ['Content-Type', 'application/x-git-receive-pack-request'],
    ['accept', 'application/x-git-upload-pack-result'],
    ['Git-Protocol', 'version=2'],
    ['Accept', 'application/vnd.git-lfs+json; charset=utf-8'],
  ]) {
    it(`is seen in the header ${headers.join(': ')}`, () => assert.notEqual(gitUseOf('/any', headers), undefined));
  }

  for (const target of [
    '/repos/o/r/git/refs',
    '/repos/o/r/git/blobs/abc',
    '/info/references',
    '/head',
    '/o/r/blob/main/docs/git-receive-pack.md',
    '/search?q=git-receive-pack',
    '/objects/ab/short',
    '/%',
    '',
  ]) {
    it(`is not seen in ${target || 'an empty target'}`, () => assert.equal(gitUseOf(target, []), undefined));
  }

  it('is refused with a pointer to git-gate', () => {
    assert.match(gitRefusal('push'), /^git push over HTTP .* http:\/\/git-gate:9420\/<name>\.git/);
  });
});
