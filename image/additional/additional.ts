import { setTimeout as sleep } from 'node:timers/promises';
import { asRuntimeError, isKind, RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import { type LayerElsewhere, type Listing, listStore, lookLimitMs, readStore, type StoreContent } from './additional-store.ts';
import { type Catalog, createCatalog } from '../records/catalog.ts';

/** The images and layers of all additional stores as last seen; another object whenever one of them has changed. */
export type Elsewhere = {
  catalog: Pick<Catalog, 'list' | 'byId' | 'byName' | 'namesOf'>;
  layer(diffId: string): LayerElsewhere | undefined;
};

/** Stores of other daemons that are only read; of two that have the same, the first counts. */
export type AdditionalStores = {
  current(): Elsewhere;
  /** Looks at all of them again. What cannot be read is logged, and nothing of it counts until it can. */
  look(): Promise<void>;
  /** True when all of them could be read the last time, and every record in them. */
  allRead(): boolean;
};

/** Looks at the stores below `roots` for the first time. */
export async function openAdditionalStores(roots: readonly string[], { engine, log }: { engine: Engine; log: Log }): Promise<AdditionalStores> {
  const stores = roots.map((root) => oneStore(root, engine, log));
  let seen: readonly StoreContent[] = [];
  let current = joined(seen);
  const additional: AdditionalStores = {
    current() {
      if (stores.every((store, at) => store.content() === seen[at])) return current;
      seen = stores.map((store) => store.content());
      current = joined(seen);
      return current;
    },
    allRead: () => stores.every((store) => store.content() !== nothing && store.content().unreadable.length === 0),
    look: async () => void (await Promise.all(stores.map((store) => store.look()))),
  };
  await additional.look();
  return additional;
}

/** Of a store that cannot be read. */
const nothing: StoreContent = { images: [], layers: new Map(), unreadable: [] };

type OneStore = { content(): StoreContent; look(): Promise<void> };

function oneStore(root: string, engine: Engine, log: Log): OneStore {
  let content = nothing;
  let listing: Listing | undefined;
  let told = '';
  let looking: Promise<void> | undefined;
  let hangs = false;
  let broken: ReadonlySet<string> = new Set();
  const cannot = (error: unknown): void => {
    const message = isKind(error, 'timeout') ? `its file system hangs, ${lookLimitMs} ms are over` : asRuntimeError(error).message;
    if (message !== told) log.warn('additional image store cannot be read: nothing of it counts until a pull finds that it can be', { store: root, error: message });
    told = message;
    hangs = isKind(error, 'timeout');
    content = nothing;
    listing = undefined;
  };
  const read = async (): Promise<void> => {
    try {
      const now = await listStore(root, engine);
      if (now.text === listing?.text) return;
      content = await readStore(root, now, engine);
      listing = now;
      hangs = false;
      // A broken record is looked at each time, and told of once.
      if (content.unreadable.length > 0) listing = undefined;
      const news = content.unreadable.filter(({ path }) => !broken.has(path));
      broken = new Set(content.unreadable.map(({ path }) => path));
      for (const { path, error } of news)
        log.warn('an image of an additional store does not count, its record cannot be read', { record: path, error: error.message });
      log.debug('additional image store was read', { store: root, images: content.images.length });
      told = '';
    } catch (error) {
      // The engine has died: that says nothing of the store.
      if (!isKind(error, 'unavailable')) cannot(error);
    }
  };
  return {
    content: () => content,
    async look() {
      // While a read hangs no other is begun, and nobody waits for it a second time.
      looking ??= read().finally(() => (looking = undefined));
      if (hangs) return;
      const ended = new AbortController();
      const late = sleep(lookLimitMs + 1_000, 'late', { signal: ended.signal, ref: false }).catch(() => 'ended');
      if ((await Promise.race([looking, late])) === 'late') cannot(new RuntimeError('timeout', 'late'));
      ended.abort();
    },
  };
}

function joined(contents: readonly StoreContent[]): Elsewhere {
  const catalog = createCatalog();
  for (const { images } of contents.toReversed()) {
    for (const { image, names } of images) {
      const before = catalog.namesOf(image.id);
      catalog.remove(image.id);
      catalog.put(image, [...before, ...names]);
    }
  }
  return { catalog, layer: (diffId) => contents.find(({ layers }) => layers.has(diffId))?.layers.get(diffId) };
}
