/** A spec as ginkgo's JSON report has it. */
export type Spec = {
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly State: string;
  readonly Failure?: { readonly Message: string };
};

/** What a run of the suite comes to. `lines` are for people; `ok` when all went as it has to. */
export type Verdict = { readonly ok: boolean; readonly lines: readonly string[] };

/** What is known before: specs that fail with any runtime, each a part of its name with the reason. */
export type Expected = { readonly impossible: Readonly<Record<string, string>>; readonly whole: boolean };

/** The specs of a report, without what ginkgo counts besides (set-up nodes). */
export function specsIn(report: string): Spec[] {
  const suites = JSON.parse(report) as { SpecReports: Spec[] | null }[];
  return suites.flatMap((suite) => suite.SpecReports ?? []).filter((spec) => spec.LeafNodeType === 'It');
}

/**
 * Judges a run: failures with their messages, every skipped spec under its reason, then the counts. In a whole suite
 * the impossible specs have to fail: one that passes is no longer impossible.
 */
export function judge(title: string, specs: readonly Spec[], { impossible, whole }: Expected): Verdict {
  const failures = specs.filter((spec) => !['passed', 'skipped', 'pending'].includes(spec.State));
  const passed = specs.filter((spec) => spec.State === 'passed');
  const skipped = specs.filter((spec) => !passed.includes(spec) && !failures.includes(spec) && ran(spec));
  const why = (spec: Spec) => Object.entries(impossible).find(([part]) => nameOf(spec).includes(part))?.[1];
  const avoidable = failures.filter((spec) => why(spec) === undefined);
  const surprises = whole ? Object.keys(impossible).filter((part) => !failures.some((spec) => nameOf(spec).includes(part))) : [];
  const lines = [
    ...failures.map((spec) => `failed: ${nameOf(spec)}\n    ${why(spec) ?? firstLines(spec)}`),
    ...surprises.map((part) => `not failed, though it is held to be impossible: ${part}`),
    ...byReason(skipped),
    `critest ${title}: ${passed.length} passed, ${avoidable.length + surprises.length} failed, ` +
      `${failures.length - avoidable.length} impossible here, ${skipped.length} skipped`,
  ];
  return { ok: passed.length > 0 && avoidable.length + surprises.length === 0, lines };
}

/** A spec that the choice of specs left out has no reason; one that skipped itself has. */
function ran(spec: Spec): boolean {
  return spec.State === 'pending' || (spec.Failure?.Message ?? '') !== '';
}

function byReason(skipped: readonly Spec[]): string[] {
  const groups = Map.groupBy(skipped, (spec) => firstLines(spec));
  return Array.from(groups, ([reason, specs]) => [`skipped: ${reason}`, ...specs.map((spec) => `    ${nameOf(spec)}`)].join('\n'));
}

function nameOf(spec: Spec): string {
  return [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' › ');
}

function firstLines(spec: Spec): string {
  return (spec.Failure?.Message ?? 'pending').trim().split('\n').slice(0, 4).join('\n    ').slice(0, 600);
}
