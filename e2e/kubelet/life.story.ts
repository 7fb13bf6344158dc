import { kubeletStory } from './life.ts';

kubeletStory();
