// ldapts (its own LDAP in TypeScript) against the directory at a URI: node ldapts.mjs URI, with the folder of its modules
// in UNDERSTUDY_NODE_MODULES.
import { createRequire } from 'node:module';

const { Attribute, Change, Client, EqualityFilter } = createRequire(
  `${process.env.UNDERSTUDY_NODE_MODULES}/of-this-folder.js`,
)('ldapts');

const base = 'dc=example,dc=com';
const people = `ou=people,${base}`;
const added = `uid=added,${people}`;

async function step(name, action) {
  let said;
  try {
    said = await action();
  } catch (error) {
    said = `${error.name} ${error.code}`;
  }
  console.log(`${name}: ${JSON.stringify(said ?? null)}`);
}

async function connected(name, password) {
  const client = new Client({ url: process.argv[2] });
  if (name !== undefined) await client.bind(name, password);
  return client;
}

async function found(client, at, options) {
  const { searchEntries } = await client.search(at, options);
  return searchEntries.sort((a, b) => (a.dn < b.dn ? -1 : 1));
}

const admin = await connected(`cn=admin,${base}`, process.env.DIRECTORY_PASSWORD);
await step('dse', async () => found(await connected(), '', { scope: 'base', attributes: ['namingContexts'] }));
await step('refused', () => connected(`cn=admin,${base}`, 'wrong'));
await step('refused user', () => connected(`uid=user1,${people}`, 'wrong'));
await step('search', () => found(admin, base, { filter: '(|(uid=user2)(uid=user3))', attributes: ['uid', 'cn', 'mail'] }));
await step('one level', () => found(admin, base, { scope: 'one', attributes: ['ou'] }));
await step('missing', () => found(admin, `ou=missing,${base}`, {}));
await step('limited', () => found(admin, base, { filter: '(uid=user*)', sizeLimit: 4, attributes: ['uid'] }));
await step('pages', () => found(admin, base, { filter: '(uid=user*)', paged: { pageSize: 3 }, attributes: ['uid'] }));
await step('at once', async () =>
  (await Promise.all([...Array(10).keys()].map((n) => admin.search(base, {
    filter: new EqualityFilter({ attribute: 'uid', value: `user${n}` }), attributes: ['uid'] })))).map((r) => r.searchEntries));
const entry = { objectClass: 'inetOrgPerson', uid: 'added', cn: 'Jürgen', sn: 'AB' };
await step('add', () => admin.add(added, entry));
await step('add again', () => admin.add(added, entry));
await step('modify', () => admin.modify(added, new Change({
  operation: 'replace', modification: new Attribute({ type: 'cn', values: ['Changed'] }) })));
await step('modified', () => found(admin, added, { scope: 'base' }));
await step('true', () => admin.compare(added, 'cn', 'Changed'));
await step('false', () => admin.compare(added, 'cn', 'Other'));
await step('rename', () => admin.modifyDN(added, `uid=renamed,${people}`));
const user = await connected(`uid=user1,${people}`, 'password1');
await step('user', () => found(user, base, { filter: '(uid=user4)', attributes: ['mail'] }));
await step('pages of the user', () => found(user, base, { filter: '(uid=user*)', paged: { pageSize: 4 }, attributes: ['uid'] }));
await step('write of the user', () => user.modify(`uid=renamed,${people}`, new Change({
  operation: 'replace', modification: new Attribute({ type: 'cn', values: ['x'] }) })));
await step('delete', () => admin.del(`uid=renamed,${people}`));
await step('delete again', () => admin.del(`uid=renamed,${people}`));
await Promise.all([admin.unbind(), user.unbind()]);
process.exit(0);
