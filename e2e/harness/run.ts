import { spawn } from 'node:child_process';

/** How a program ended; `code` is null when a signal ended it. */
export type Result = { readonly stdout: string; readonly stderr: string; readonly code: number | null };

/** Runs a program to its end; rejects only when it cannot be started. */
export function execute(command: string, args: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ stdout, stderr, code });
    });
  });
}
