import { fileURLToPath } from 'node:url';
import type { Int64, Rpc, StreamRpc } from './cri-types.ts';
import type { CheckCounts, Checked } from './problem.ts';
import { loadProto, type Service, serviceIn } from './proto.ts';

export type DumpRequest = { id: string };
export type DumpReply = { kind: 'sandbox' | 'container' | 'image'; id: string; json: string };

export type ImagesRequest = { filters: string[] };
export type ImageEntry = {
  id: string;
  tags: string[];
  digests: string[];
  size_bytes: Int64;
  used_bytes: Int64;
  unique_bytes: Int64;
  created: string;
  pulled_at_ns: Int64;
  pinned: boolean;
  used_by: string[];
  labels: Record<string, string>;
};
export type ImagesReply = { images: ImageEntry[] };
export type PullRequest = { image: string };
export type LayerProgress = { digest: string; bytes: Int64; total_bytes: Int64 };
export type PullReply = { layers: LayerProgress[]; image_id: string };
export type HistoryRequest = { image: string };
export type HistoryStep = { created: string; created_by: string; comment: string; layer: string; used_bytes: Int64 };
export type HistoryReply = { steps: HistoryStep[] };
export type PruneRequest = { filters: string[]; idle_ms: Int64; dry_run: boolean };
export type PrunedImage = { id: string; names: string[] };
export type PruneReply = { images: PrunedImage[]; freed_bytes: Int64 };

export type LoadRequest = { data: Buffer; name: string };
export type LoadedImage = { id: string; tags: string[] };
export type LoadReply = { images: LoadedImage[] };
export type SaveRequest = { images: string[] };
export type SaveReply = { data: Buffer };

export type CheckRequest = { full: boolean; repair: boolean };
/** `counts` is null in every reply but the last, `problem` in that one. */
export type CheckReply = { problem: Checked | null; counts: CheckCounts | null };

/** An rpc whose request comes in pieces. */
export type ClientStreamRpc<Request, Reply> = { request: Request; reply: Reply; stream: 'client' };

/** Every rpc of Control. */
export type ControlRpcs = {
  Dump: StreamRpc<DumpRequest, DumpReply>;
  Images: Rpc<ImagesRequest, ImagesReply>;
  Pull: StreamRpc<PullRequest, PullReply>;
  History: Rpc<HistoryRequest, HistoryReply>;
  Prune: Rpc<PruneRequest, PruneReply>;
  Load: ClientStreamRpc<LoadRequest, LoadReply>;
  Save: StreamRpc<SaveRequest, SaveReply>;
  Check: StreamRpc<CheckRequest, CheckReply>;
};

/** The service that the command-line client asks besides the CRI: `berth.v1.Control` of control.proto. */
export function controlService(): Service<ControlRpcs> {
  return serviceIn(loadProto(fileURLToPath(new URL('../api/control.proto', import.meta.url))), 'berth.v1.Control');
}
