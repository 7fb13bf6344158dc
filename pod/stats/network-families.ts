import type { InterfaceSample } from '../../api/engine.ts';

/** A counter of a pod's interface; its own label is `interface`. */
export type NetworkFamily = { name: string; help: string; value: (of: InterfaceSample) => string };

const counted = [
  ['receive_bytes', 'bytes received', 'rxBytes'],
  ['receive_packets', 'packets received', 'rxPackets'],
  ['receive_packets_dropped', 'packets dropped while receiving', 'rxDropped'],
  ['receive_errors', 'errors encountered while receiving', 'rxErrors'],
  ['transmit_bytes', 'bytes transmitted', 'txBytes'],
  ['transmit_packets', 'packets transmitted', 'txPackets'],
  ['transmit_packets_dropped', 'packets dropped while transmitting', 'txDropped'],
  ['transmit_errors', 'errors encountered while transmitting', 'txErrors'],
] as const;

/** The metrics of a pod's network, in a fixed order. */
export const networkFamilies: NetworkFamily[] = counted.map(([name, what, key]) => ({
  name: `container_network_${name}_total`,
  help: `Cumulative count of ${what}.`,
  value: (of) => of[key],
}));
