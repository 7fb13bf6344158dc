import { readFileSync } from 'node:fs';
import { replaceFile } from '../host/files.ts';

const fileIn = (stateDir: string): string => `${stateDir}/pod-cidr`;

/** Keeps the node's pod range for this boot: the kubelet tells it when it changes, not when the runtime starts again. */
export function rememberPodCidr(stateDir: string, cidr: string): void {
  replaceFile(fileIn(stateDir), cidr);
}

/** The pod range told last in this boot; empty when none was. */
export function rememberedPodCidr(stateDir: string): string {
  try {
    return readFileSync(fileIn(stateDir), 'utf8');
  } catch {
    return '';
  }
}
