// Writes the pages that come from the table of options: manifests/berth.toml and docs/options.md.
import { writeFileSync } from 'node:fs';
import { docsPage, tomlTemplate } from '../cri/options-pages.ts';

writeFileSync(new URL('../manifests/berth.toml', import.meta.url), tomlTemplate());
writeFileSync(new URL('../docs/options.md', import.meta.url), docsPage());
