/**
 * `node:http` as CommonJS has it. An ESM import reads every export once, and reading `WebSocket` there loads a second
 * HTTP client into the process: 7 MiB that nothing here uses.
 */
export const http = process.getBuiltinModule('node:http');
