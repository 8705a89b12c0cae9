import { type Attack, NO_PERMISSION, type Twin } from '../attack.ts';

const ROOT: Twin = { without: 'a user for each daemon: root of the daemons', at: 'root of the daemons' };

/** Commands that the attacker has a tool of mcp-bridge run, which he has taken over: as its user, in the container of the daemons. */
export function fromTool(
  name: string,
  commands: string,
  gains: string,
  told: RegExp,
  twin: Partial<Twin> = {},
): Attack {
  return {
    name: `from a tool of mcp-bridge: ${name}`,
    script: `in_tool <<'COMMANDS'\n${commands}\nCOMMANDS`,
    gains,
    told,
    trace: NO_PERMISSION,
    twin: { script: commands, ...ROOT, ...twin },
  };
}
