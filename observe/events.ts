import type { LifecycleEvent, Publish } from '../api/events.ts';
import type { Log } from '../api/observe.ts';

/** Takes events as they happen; has to return at once, what takes time it keeps in a queue of its own. */
export type Listener = (event: LifecycleEvent) => void;

/** The in-process bus: every listener gets every event, in order. */
export type Events = {
  publish: Publish;
  /** Adds a listener; the function that comes back takes it away. */
  subscribe(listener: Listener): () => void;
};

/** Opens the bus. A listener that throws is logged and harms no other. */
export function openEvents(log: Log): Events {
  const listeners = new Set<Listener>();
  return {
    publish(event) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          log.error('a listener failed on a lifecycle event', { type: event.type, error: String(error) });
        }
      }
    },
    subscribe(listener) {
      const own: Listener = (event) => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
