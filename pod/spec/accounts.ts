/** One line of /etc/passwd (passwd(5)); other fields are of no use here. */
export type Account = { name: string; uid: number; gid: number };

/** One line of /etc/group (group(5)). */
export type Group = { name: string; gid: number; members: string[] };

/** Reads /etc/passwd. The text is an image's and may hold anything: lines that make no sense are passed over. */
export function parsePasswd(text: string): Account[] {
  return lines(text).flatMap(([name = '', , uid, gid]) => {
    const [user, group] = [parseId(uid), parseId(gid)];
    return user === null || group === null ? [] : [{ name, uid: user, gid: group }];
  });
}

/** Reads /etc/group, as carefully. */
export function parseGroup(text: string): Group[] {
  return lines(text).flatMap(([name = '', , gid, members = '']) => {
    const id = parseId(gid);
    return id === null
      ? []
      : [
          {
            name,
            gid: id,
            members: members
              .split(',')
              .map((member) => member.trim())
              .filter(Boolean),
          },
        ];
  });
}

/** Largest id that the peers accept for users and groups. */
const MAX_ID = 2 ** 31 - 1;

/** A decimal user or group id, null when the text is none or it is out of range. */
export function parseId(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text.trim())) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
