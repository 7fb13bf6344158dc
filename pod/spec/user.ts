import type { LinuxContainerSecurityContext } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import { parseGroup, parseId, parsePasswd, type Account, type Group } from './accounts.ts';
import type { ResolvedUser } from './input.ts';

/** What a user is resolved from. `imageUser` is `user[:group]`, names or ids. */
export type UserAsk = {
  security: LinuxContainerSecurityContext | null;
  imageUser: string;
  etc: { passwd: string; group: string };
};

/**
 * Who a container runs as (CRI LinuxContainerSecurityContext): run_as_user, else run_as_username, else the image's
 * user, else root; the group is run_as_group, else the image's with its user, else the account's, else 0. To it come
 * the supplemental groups, and with policy Merge those of which the image's /etc/group makes the user a member.
 * Throws `invalid` when a name is not known or run_as_group stands alone.
 */
export function resolveUser({ security, imageUser, etc }: UserAsk): ResolvedUser {
  const isAsked = security !== null && (security.run_as_user !== null || security.run_as_username !== '');
  if (security?.run_as_group && !isAsked) {
    throw new RuntimeError('invalid', 'run_as_group is set without run_as_user or run_as_username');
  }
  const [imageName = '', imageGroup = ''] = imageUser.split(':');
  const accounts = parsePasswd(etc.passwd);
  const account = security?.run_as_user
    ? withId(checkedId(security.run_as_user.value, 'run_as_user'), accounts)
    : named(security?.run_as_username || imageName || '0', accounts);
  const groups = parseGroup(etc.group);
  const gid = primaryGroup(security, isAsked ? '' : imageGroup, account, groups);
  const all = new Set([gid, ...memberships(security, account.name, groups), ...supplemental(security)]);
  return { uid: account.uid, gid, groups: [...all] };
}

/** An id asked for as such is never taken for a name: an image could call its root `1000`. */
function withId(uid: number, accounts: Account[]): Account {
  return accounts.find((account) => account.uid === uid) ?? { name: '', uid, gid: 0 };
}

function named(user: string, accounts: Account[]): Account {
  const known = accounts.find(({ name }) => name === user);
  if (known !== undefined) return known;
  const uid = parseId(user);
  if (uid !== null) return withId(uid, accounts);
  throw new RuntimeError('invalid', `user ${user} is not in the image's /etc/passwd and is no valid id`);
}

function primaryGroup(
  security: LinuxContainerSecurityContext | null,
  imageGroup: string,
  account: Account,
  groups: Group[],
): number {
  if (security?.run_as_group) return checkedId(security.run_as_group.value, 'run_as_group');
  if (imageGroup === '') return account.gid;
  const gid = groups.find(({ name }) => name === imageGroup)?.gid ?? parseId(imageGroup);
  if (gid !== null) return gid;
  throw new RuntimeError(
    'invalid',
    `group ${imageGroup} of the image's user is not in its /etc/group and is no valid id`,
  );
}

function memberships(security: LinuxContainerSecurityContext | null, name: string, groups: Group[]): number[] {
  if (name === '' || security?.supplemental_groups_policy === 'Strict') return [];
  return groups.filter(({ members }) => members.includes(name)).map(({ gid }) => gid);
}

function supplemental(security: LinuxContainerSecurityContext | null): number[] {
  return (security?.supplemental_groups ?? []).map((gid) => checkedId(gid, 'supplemental_groups'));
}

function checkedId(text: string, field: string): number {
  const id = parseId(text);
  if (id === null) throw new RuntimeError('invalid', `${field}: ${text} is no id from 0 to 2147483647`);
  return id;
}
