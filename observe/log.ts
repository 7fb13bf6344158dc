import { createLogger, format, type Logform, transports } from 'winston';
import type { Fields, Log } from '../api/observe.ts';

/** From most to least important. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export type LogOptions = {
  level: LogLevel;
  format: 'text' | 'json';
  /** Where lines go. */
  stream: NodeJS.WritableStream;
};

const levels: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

/** Opens the daemon's log: one line per message, as text or as a JSON object, secrets taken out by their field's name. */
export function openLog(options: LogOptions): Log {
  const logger = createLogger({
    level: options.level,
    levels,
    format: format.printf(options.format === 'json' ? jsonLine : textLine),
    transports: [new transports.Stream({ stream: options.stream, eol: '\n' })],
  });
  const at = (level: LogLevel): Log[LogLevel] => {
    if (levels[level] > levels[options.level]) return () => {};
    return (message, fields = {}) => void logger.log({ level, message: hideUserInfo(message), fields: hideSecrets(fields) });
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

function jsonLine({ level, message, fields }: Logform.TransformableInfo): string {
  return JSON.stringify({ time: new Date().toISOString(), level, message, ...(fields as object) });
}

function textLine({ level, message, fields }: Logform.TransformableInfo): string {
  const pairs = Object.entries(fields as Fields).map(([key, value]) => ` ${key}=${quoted(String(value))}`);
  return `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${oneLine(String(message))}${pairs.join('')}`;
}

const secretName = /pass(word|wd)?$|secret|token|credential|^auth(orization)?$/i;

/** The fields as they may be shown: those that are named like secrets blanked, absent ones left out, bigints as text. */
function hideSecrets(fields: Fields): Fields {
  const shown: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (secretName.test(key)) shown[key] = '[hidden]';
    else if (typeof value === 'string') shown[key] = hideUserInfo(value);
    else shown[key] = typeof value === 'bigint' ? String(value) : value;
  }
  return shown;
}

/** The text without the `user:password@` of the URLs in it. */
export function hideUserInfo(text: string): string {
  return text.includes('@') ? text.replaceAll(/(?<=:\/\/)[^/@\s]+@/g, '[hidden]@') : text;
}

function quoted(text: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** Nothing that a caller sends may look like a line of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
