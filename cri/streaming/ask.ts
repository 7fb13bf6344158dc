/** Which of a command's streams a client carries. */
export type Wants = { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean };

/** What a client of the streaming server will do, prepared by Exec, Attach or PortForward; ids are whole. */
export type StreamAsk =
  | ({ kind: 'exec'; containerId: string; command: string[] } & Wants)
  | ({ kind: 'attach'; containerId: string } & Wants)
  | { kind: 'portforward'; sandboxId: string; ports: number[] };
