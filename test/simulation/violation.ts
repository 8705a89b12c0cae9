/** A rule of the design that the policy broke. */
export class Violation extends Error {
  readonly rule: string;
  readonly section: string;

  /** `section`: where DESIGN states the rule. */
  constructor(rule: string, section: string, detail: string) {
    super(`${rule} (DESIGN ${section}): ${detail}`);
    this.name = 'Violation';
    this.rule = rule;
    this.section = section;
  }
}
