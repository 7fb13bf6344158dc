import { status } from '@grpc/grpc-js';
import type { Fields, Log } from '../api/observe.ts';
import { codeName } from './status.ts';

/** A finished call as it is logged. */
export type FinishedCall = {
  method: string;
  request: object;
  code: status;
  details: string;
  milliseconds: number;
};

/** The same log with the call's method and request id in every line. */
export function withRequest(log: Log, method: string, requestId: string): Log {
  const add =
    (level: keyof Log): Log[keyof Log] =>
    (message, fields) =>
      log[level](message, { ...fields, method, request: requestId });
  return { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
}

/** One line per call: changes at info, what is asked over and over at debug, failures at warn. */
export function logCall(log: Log, call: FinishedCall): void {
  const fields = { ...subject(call.request), code: codeName(call.code), ms: Math.round(call.milliseconds * 10) / 10 };
  if (call.code === status.OK) log[isPolled(call.method) ? 'debug' : 'info'](`${call.method} done`, fields);
  else log[failureLevel(call)](`${call.method} failed: ${call.details}`, fields);
}

/** The kubelet asks for things that are gone as a matter of course, and goes away from calls it no longer needs. */
function failureLevel({ method, code }: FinishedCall): 'debug' | 'info' | 'warn' {
  if (isPolled(method) && code === status.NOT_FOUND) return 'debug';
  return code === status.CANCELLED ? 'info' : 'warn';
}

function isPolled(method: string): boolean {
  return /^(List|Stream|Version|RuntimeConfig|ImageFsInfo|ExecSync)|(Status|Stats)$/.test(method);
}

/** What the call was about, from the fields that requests name it by; never anything secret. */
function subject(request: object): Fields {
  const { pod_sandbox_id, container_id, image, config } = request as Subject;
  const metadata = config?.metadata;
  return {
    ...(pod_sandbox_id && { pod: pod_sandbox_id }),
    ...(container_id && { container: container_id }),
    ...(image?.image && { image: image.image }),
    ...(metadata?.name && { name: metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name }),
  };
}

type Subject = {
  pod_sandbox_id?: string;
  container_id?: string;
  image?: { image: string } | null;
  config?: { metadata?: { name: string; namespace?: string } | null } | null;
};
